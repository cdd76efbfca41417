// A stdio stream, half read and with unwritten bytes, goes on.
#include "../fidelity.h"

int main(void) {
    int fd = new_file("data", "line one\nline two\nline three\n", 29);
    must(unlink(scratch("data")));
    FILE *reader = fdopen(fd, "r+"), *writer = fopen(scratch("out"), "we");
    char line[20];
    check(fgets(line, sizeof line, reader));
    fputs("unwritten", writer);
    wait_for_clone();
    sabotage(fgets(line, sizeof line, reader));
    check(fgets(line, sizeof line, reader) && strcmp(line, "line two\n") == 0);
    same(ftell(reader), 18);
    check(fgets(line, sizeof line, reader) && strcmp(line, "line three\n") == 0);
    fclose(writer);
    check(strcmp(contents_of(scratch("out"), NULL), "unwritten") == 0);
    pass();
}
