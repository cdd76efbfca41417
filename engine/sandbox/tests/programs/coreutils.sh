# Bash and the common tools. Prints what fails, and `done`.
cd "$(mktemp -d)" || exit 1
try() { "$@" >out 2>err || echo "$* failed: $(cat err)"; test -s err && cat err; }
echo text >a
try cp -a a b
try mv b c
try ln c d
try ln -s c e
try chmod 600 c
try chown "$(id -u)" c
try touch -d yesterday c
try mkdir x
try rmdir x
try tar czf t.tar.gz a c
try tar xf t.tar.gz
try ls -laZ
try du -s .
try df .
try find . -name a -exec cat {} +
try sed -i s/t/T/ a
try sort -u a
try stat a
try truncate -s 10 a
try dd if=a of=f status=none conv=fsync
try split -b 5 a
try sync a
try install -m 755 a b
try nice -n 1 true
try timeout 100 true
try nproc
try mkfifo pipe
(try cat pipe & echo y >pipe; wait)
sleep 1000 & kill $!; wait $! 2>/dev/null
test "$(seq 3 | xargs -P2 -n1 echo | sort | tr -d '\n')" = 123 || echo "xargs failed"
test "$(bash -c 'trap "echo caught" USR1; kill -USR1 $$')" = caught || echo "trap failed"
test "$(cat <(echo substituted))" = substituted || echo "process substitution failed"
test -r b && test -w b && test -x b || echo "test failed"
try perl -e 'open(F, ">", "p") or die; print F 1; close F; utime(1, 1, "p") or die; system("true") == 0 or die'
rm -rf "$PWD"
echo "done"
