//! Rules of contents, files, pipes, sockets and descriptors.

use super::*;

#[test]
#[rustfmt::skip] // one case, one line
fn contents_files_and_pipes_must_be_possible() {
    refuse(&[
        (|m| m.contents[0].bytes = u64::MAX, "content 0 has an impossible length: 0xffffffffffffffff"),
        (|m| m.contents[0].kind = memfd(&[b'a'; 250], 0), "content 0 has a name"),
        (|m| m.contents[0].kind = memfd(b"a", 64), "content 0 has bits in its seals"),
        (|m| m.contents[0].kind = deleted(b"a", 0o100_600), "content 0 has a path"),
        (|m| m.contents[0].kind = deleted(b"/a", 0o040_700), "content 0 must be a regular file"),
        (|m| m.files[0].path = b"a".to_vec(), "file 0 has a path"),
        (|m| m.files[0].path = b"/a\0".to_vec(), "file 0 has a path"),
        (|m| m.files[0].path = [b'/'; 4096].to_vec(), "file 0 has a path"),
        (|m| m.files[0].bytes = 1 << 63, "file 0 has an impossible length"),
        (|m| m.files[0].mode = 0o1_000_000, "file 0 has bits in its mode"),
        (|m| m.files[0].mode = 0o040_755, "file 0 must be a regular file"),
        (|m| m.pipes[0].capacity = 0, "pipe 0 has an impossible capacity: 0x0"),
        (|m| m.pipes[0].content = vec![0; 4097], "pipe 0 has 4097 bytes; 4096 are allowed"),
        (|m| m.pipes[0].path = Some(Vec::new()), "pipe 0 has a path"),
    ]);
}

#[test]
#[rustfmt::skip] // one case, one line
fn sockets_must_have_peers_that_know_them() {
    refuse(&[
        (|m| m.sockets[0].address = vec![b'a'; 109], "socket 0 has a name"),
        (|m| m.sockets[0].address = b"/a\0b".to_vec(), "socket 0 has a name"),
        (|m| m.sockets[0].peer = Some(2), "socket 0 names socket 2, of 2"),
        (|m| m.sockets[0].peer = Some(0), "socket 0 has a peer that is not its own peer's peer"),
        (|m| m.sockets[1].peer = None, "socket 0 has a peer that is not"),
        (|m| m.sockets[1].kind = SocketKind::Packet, "socket 0 has a peer that is not"),
        (|m| m.sockets[0].backlog = Some(1), "socket 0 cannot be both listening and connected"),
        (|m| m.sockets[0].queue = vec![Vec::new(); 2], "socket 0 has 2 messages; 1 are allowed"),
        (
            |m| {
                m.sockets[0].peer = None;
                m.sockets[0].kind = SocketKind::Datagram;
                m.sockets[0].backlog = Some(1);
            },
            "socket 0 cannot be both listening and of datagrams",
        ),
    ]);
    let mut datagrams = valid();
    datagrams.sockets[0].kind = SocketKind::Datagram;
    datagrams.sockets[1].kind = SocketKind::Datagram;
    datagrams.sockets[1].peer = None;
    datagrams.sockets[1].address = b"/log".to_vec();
    assert_eq!(datagrams.validate(), Ok(()));
}

#[test]
#[rustfmt::skip] // one case, one line
fn descriptors_must_lead_to_open_files() {
    refuse(&[
        (|m| m.descriptors[0].number = 1 << 20, "descriptor 1048576 has an impossible number"),
        (|m| m.descriptors[1].number = 0, "descriptor 0 does not come after its predecessor"),
        (|m| m.descriptors[0].open_file = 99, "descriptor 0 names open file 99, of"),
        (|m| m.open_files[0].flags = 0o2_000_000, "open file 0 has bits in its flags that are not allowed: 0x80000"),
        (|m| m.open_files[0].flags = 0o1000, "open file 0 has bits in its flags that are not allowed: 0x200"),
        (|m| kind(m, device(b"/dev/mem")), "open file 0 is a device that may hold state"),
        (|m| kind(m, path(1, 0)), "open file 0 names file 1, of 1"),
        (|m| kind(m, path(0, 1 << 63)), "open file 0 has an impossible position"),
        (
            |m| {
                m.files.push(FileIdentity {
                    mode: 0o060_600,
                    ..m.files[0].clone()
                });
                kind(m, path(1, 0));
            },
            "open file 0 must be a regular file or directory",
        ),
        (|m| { kind( m, OpenFileKind::Content { content: 1, position: 0 }, ) }, "open file 0 names content 1, of 1"),
        (|m| kind(m, pipe(1, PipeEnd::Both)), "open file 0 names pipe 1, of 1"),
        (|m| kind(m, pipe(0, PipeEnd::Read)), "open file 0 has an impossible access mode: 0x2"),
        (|m| kind(m, OpenFileKind::Socket { socket: 2 }), "open file 0 names socket 2, of 2"),
        (
            |m| {
                kind(
                    m,
                    OpenFileKind::Event {
                        count: u64::MAX,
                        semaphore: false,
                    },
                )
            },
            "open file 0 has an impossible counter",
        ),
        (|m| kind(m, OpenFileKind::Signal { mask: 1 << 8 }), "open file 0 has bits in its signal mask"),
        (|m| kind(m, timer(2, 0)), "open file 0 has an impossible clock: 0x2"),
        (|m| kind(m, timer(1, 4)), "open file 0 has bits in its timer flags"),
        (|m| kind(m, inotify(&[1, 1])), "open file 0 occurs twice"),
        (|m| kind(m, inotify(&[0])), "open file 0 has an impossible watch number"),
        (|m| kind(m, epoll(&[0])), "open file 0 cannot be both watching and watched"),
        (|m| kind(m, epoll(&[7])), "open file 0 names descriptor 7, of 2"),
        (|m| kind(m, epoll(&[5, 5])), "open file 0 occurs twice"),
    ]);
}
