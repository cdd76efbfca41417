//! What waits in pipes and sockets is read, and waits there still.
#![allow(clippy::unwrap_used)]

mod files_common;

use files_common::{Subject, kind, open_file};
use offshoot_image::model::{OpenFileKind, PipeEnd, SocketKind, UnixSocket};

#[test]
fn pipe_content_is_read_and_stays() {
    let script = r"
r, w = os.pipe()
fcntl.fcntl(w, 1031, 1 << 20)
os.set_blocking(w, False)
for i in range(3000):
    os.write(w, bytes([i % 251]) * 100)
place(r, 10); place(w, 11)
ready()
os.write(11, b'more')
data = b''.join(os.read(10, 100) for i in range(3000))
good = data == b''.join(bytes([i % 251]) * 100 for i in range(3000))
ready(good, os.read(10, 100).decode())
";
    let mut subject = Subject::start(script, &[]);
    let tables = subject.read().unwrap();
    let again = subject.read().unwrap();
    let pipe = &tables.pipes[0];
    assert_eq!((pipe.capacity, pipe.content.len()), (1 << 20, 300_000));
    assert!((0..3000_usize).all(|i| pipe.content[i * 100] == u8::try_from(i % 251).unwrap()));
    assert_eq!(pipe, &again.pipes[0]);
    assert_eq!(open_file(&tables, 10).flags & 0o4000, 0);
    assert_ne!(
        open_file(&tables, 11).flags & 0o4000,
        0,
        "O_NONBLOCK is of one end"
    );
    assert_eq!(subject.resume(), ["True", "more"]);
}

#[test]
fn full_pipe_is_read_and_stays() {
    let script = r"
r, w = os.pipe(); os.set_blocking(w, False); n = 0
try:
    while True: n += os.write(w, b'abcdefg' * 1000)
except BlockingIOError: pass
place(r, 10); place(w, 11)
ready(n)
ready(len(os.read(10, 1 << 20)))
";
    let mut subject = Subject::start(script, &[]);
    let tables = subject.read().unwrap();
    let bytes = tables.pipes[0].content.len();
    assert_eq!(subject.words, [bytes.to_string()]);
    assert!(bytes > 50_000);
    assert_eq!(subject.resume(), [bytes.to_string()]);
}

#[test]
fn fifo_keeps_path_ends_and_content() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap();
    let script = r"
os.mkfifo(sys.argv[1] + '/fifo')
place(os.open(sys.argv[1] + '/fifo', os.O_RDWR), 10)
place(os.open(sys.argv[1] + '/fifo', os.O_RDONLY | os.O_NONBLOCK), 11)
os.write(10, b'in the fifo')
ready()
ready(os.read(11, 100).decode())
";
    let mut subject = Subject::start(script, &[path.to_str().unwrap()]);
    let tables = subject.read().unwrap();
    let end = |end| OpenFileKind::Pipe { pipe: 0, end };
    assert_eq!(*kind(&tables, 10), end(PipeEnd::Both));
    assert_eq!(*kind(&tables, 11), end(PipeEnd::Read));
    let expected = path.join("fifo").into_os_string().into_encoded_bytes();
    assert_eq!(tables.pipes[0].path, Some(expected));
    assert_eq!(tables.pipes[0].content, b"in the fifo");
    assert_eq!(subject.resume(), ["in", "the", "fifo"]);
}

#[test]
fn socket_queues_are_read_and_stay() {
    let script = r"
def pair(kind, number):
    a, b = socket.socketpair(socket.AF_UNIX, kind)
    place(os.dup(a.fileno()), number); place(os.dup(b.fileno()), number + 1)
    a.close(); b.close()
    return socket.socket(fileno=number), socket.socket(fileno=number + 1)
a, b = pair(socket.SOCK_STREAM, 10)
a.send(b'one'); a.send(b'two'); b.send(b'back')
c, d = pair(socket.SOCK_DGRAM, 12)
c.send(b'first'); c.send(b''); c.send(b'third'); c.send(b'f' * 50000)
e, f = pair(socket.SOCK_SEQPACKET, 14)
e.send(b'alpha'); e.send(b'beta')
ready()
got = [b.recv(100), a.recv(100), d.recv(100), d.recv(100), d.recv(100), len(d.recv(1 << 20)),
       f.recv(3), f.recv(100)]
b.setblocking(False)
try: b.recv(1); got.append('more')
except BlockingIOError: pass
ready(repr(got).replace(' ', ''))
";
    let mut subject = Subject::start(script, &[]);
    let tables = subject.read().unwrap();
    let socket = |number| -> &UnixSocket {
        let OpenFileKind::Socket { socket } = *kind(&tables, number) else {
            panic!("{:?}", kind(&tables, number));
        };
        &tables.sockets[socket as usize]
    };
    let queue = |number: u32| -> Vec<Vec<u8>> { socket(number).queue.clone() };
    assert_eq!(queue(10), [b"back"]);
    assert_eq!(queue(11), [b"onetwo"]);
    assert_eq!(queue(12), Vec::<Vec<u8>>::new());
    let expected = [
        b"first".to_vec(),
        vec![],
        b"third".to_vec(),
        vec![b'f'; 50_000],
    ];
    assert_eq!(queue(13), expected);
    assert_eq!(queue(15), [b"alpha".to_vec(), b"beta".to_vec()]);
    assert_eq!((socket(10).peer, socket(11).peer), (Some(1), Some(0)));
    assert_eq!((socket(14).peer, socket(15).peer), (Some(5), Some(4)));
    assert_eq!(socket(12).kind, SocketKind::Datagram);
    assert_eq!(socket(14).kind, SocketKind::Packet);
    assert!(socket(10).backlog.is_none() && socket(10).address.is_empty());
    let expected = "[b'onetwo',b'back',b'first',b'',b'third',50000,b'alp',b'beta']";
    assert_eq!(subject.resume(), [expected]);
}

#[test]
fn bound_and_listening_sockets_keep_addresses_and_backlog() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let script = r"
l = socket.socket(socket.AF_UNIX); l.bind(sys.argv[1] + '/listen'); l.listen(7)
m = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); m.bind(b'\0name-' + str(os.getpid()).encode()); m.listen(3)
d = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); d.bind(sys.argv[1] + '/datagram')
u = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); u.sendto(b'from nobody', sys.argv[1] + '/datagram')
c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1] + '/listen')
a, _ = l.accept(); c.send(b'request')
n = socket.socket(socket.AF_UNIX)
ready(*[x.fileno() for x in (l, m, d, u, c, a, n)])
ready(a.recv(100).decode(), d.recv(100).decode())
";
    let mut subject = Subject::start(script, &[path]);
    let tables = subject.read().unwrap();
    let sockets: Vec<&UnixSocket> = subject
        .words
        .iter()
        .map(|number| match *kind(&tables, number.parse().unwrap()) {
            OpenFileKind::Socket { socket } => &tables.sockets[socket as usize],
            ref other => panic!("{other:?}"),
        })
        .collect();
    let [
        listening,
        abstracted,
        datagram,
        unbound,
        client,
        accepted,
        fresh,
    ] = sockets[..]
    else {
        panic!("{sockets:?}");
    };
    let listen_path = format!("{path}/listen").into_bytes();
    assert_eq!(
        (&listening.address, listening.backlog),
        (&listen_path, Some(7))
    );
    let name = format!("\0name-{}", subject.pid()).into_bytes();
    assert_eq!((&abstracted.address, abstracted.backlog), (&name, Some(3)));
    assert_eq!(abstracted.kind, SocketKind::Packet);
    assert_eq!(datagram.address, format!("{path}/datagram").into_bytes());
    assert_eq!(datagram.queue, [b"from nobody"]);
    assert!(unbound.address.is_empty() && unbound.peer.is_none());
    assert_eq!(
        (&accepted.address, &accepted.queue[..]),
        (&listen_path, &[b"request".to_vec()][..])
    );
    assert_eq!(tables.sockets[client.peer.unwrap() as usize], *accepted);
    assert_eq!(tables.sockets[accepted.peer.unwrap() as usize], *client);
    assert!(fresh.peer.is_none() && fresh.backlog.is_none());
    assert_eq!(subject.resume(), ["request", "from", "nobody"]);
}

#[test]
fn sockets_of_another_network_namespace_are_read() {
    let script = r"
checked(libc.unshare(0x40000000))
a, b = socket.socketpair(); a.send(b'hello')
ready()
";
    let tables = Subject::start(script, &[]).read().unwrap();
    assert_eq!(tables.sockets[1].queue, [b"hello"]);
    assert_eq!(tables.sockets[1].peer, Some(0));
}

#[test]
fn counter_and_position_are_not_changed() {
    let script = r"
place(os.eventfd(5), 10)
m = os.memfd_create('m'); os.write(m, b'0123456789'); os.lseek(m, 3, 0); place(m, 11)
ready()
ready(os.eventfd_read(10), os.read(11, 100).decode())
";
    let mut subject = Subject::start(script, &[]);
    subject.read().unwrap();
    assert_eq!(subject.resume(), ["5", "3456789"]);
}
