//! The launcher's own hands: threads that take ghosts for whoever is not a thread.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::Hand;

type Job = Box<dyn FnOnce(&Hand) + Send>;

/// As many as can work at once on a usual machine; each is asleep otherwise.
const MOST: usize = 4;

/// Threads that end when this is dropped.
#[derive(Debug)]
pub(crate) struct Hands {
    threads: Vec<mpsc::UnboundedSender<Job>>,
    next: AtomicUsize,
}

impl Hands {
    pub(crate) fn start() -> io::Result<Self> {
        let count = std::thread::available_parallelism().map_or(1, |count| count.get().min(MOST));
        let threads = (0..count).map(|_| start_one()).collect::<io::Result<_>>()?;
        Ok(Self {
            threads,
            next: AtomicUsize::new(0),
        })
    }

    /// Has a hand do something; `None` if its thread has ended.
    pub(crate) async fn lend<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Hand) -> T + Send + 'static,
    ) -> Option<T> {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move |hand| {
            // Who has lost interest drops what was made.
            let _ = done.send(work(hand));
        });
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.threads.len();
        self.threads[turn].send(job).ok()?;
        result.await.ok()
    }
}

fn start_one() -> io::Result<mpsc::UnboundedSender<Job>> {
    let (jobs, mut inbox) = mpsc::unbounded_channel::<Job>();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let body = move || match Hand::of_this_thread() {
        Ok(hand) => {
            let _ = ready.send(Ok(()));
            while let Some(job) = inbox.blocking_recv() {
                job(&hand);
            }
        }
        Err(error) => drop(ready.send(Err(error))),
    };
    std::thread::Builder::new()
        .name("hand".into())
        .spawn(body)?;
    is_ready
        .recv()
        .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))??;
    Ok(jobs)
}
