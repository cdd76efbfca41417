//! A future that goes on without its caller.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Runs a future in its caller's task; if it is dropped before its end, a task of its own takes it over.
///
/// A spawned task would do the same, but wakes another worker for each invocation: on an idle machine that
/// costs as much as the rest of a hot pass.
pub(crate) struct Detach<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    running: Option<Pin<Box<F>>>,
}

impl<F> Detach<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    pub(crate) fn new(future: F) -> Self {
        Self {
            running: Some(Box::pin(future)),
        }
    }
}

impl<F> Future for Detach<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some(running) = &mut self.running else {
            // Only a caller that polls on after the end comes here, which no `await` does.
            return Poll::Pending;
        };
        let output = ready!(running.as_mut().poll(context));
        self.running = None;
        Poll::Ready(output)
    }
}

impl<F> Drop for Detach<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn drop(&mut self) {
        if let Some(running) = self.running.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(running);
        }
    }
}
