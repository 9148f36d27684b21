//! The stream itself: a bounded queue that many threads push to and one consumer drains.

use super::Event;
use crossbeam::queue::ArrayQueue;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A bounded stream of events.
#[derive(Debug, Default)]
pub struct EventStream {
    /// Whether anybody listens; what everybody else looks at first.
    on: AtomicBool,
    /// Made when somebody first listens.
    queue: OnceLock<ArrayQueue<Event>>,
    dropped: AtomicU64,
}

impl EventStream {
    /// How many events wait at most, unless said otherwise.
    pub const DEFAULT_CAPACITY: usize = 1 << 14;

    /// Starts to keep events, at most `capacity` at a time (at least one). The capacity of the
    /// first time holds for ever.
    pub fn listen(&self, capacity: usize) {
        self.queue.get_or_init(|| ArrayQueue::new(capacity.max(1)));
        self.on.store(true, Ordering::Release);
    }

    /// Stops keeping events; those that wait stay.
    pub fn stop(&self) {
        self.on.store(false, Ordering::Release);
    }

    /// Whether anybody listens.
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Adds the event that `make` gives, if anybody listens.
    #[inline]
    pub fn emit(&self, make: impl FnOnce() -> Event) {
        if self.is_on() {
            self.push(make());
        }
    }

    #[cold]
    fn push(&self, event: Event) {
        let kept = self.queue.get().is_some_and(|queue| queue.push(event).is_ok());
        if !kept {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes the oldest event that waits.
    pub fn pop(&self) -> Option<Event> {
        self.queue.get()?.pop()
    }

    /// How many events were lost because the stream was full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::EventKind;
    use cupola_ir::FuncId;

    fn event(time_ns: u64) -> Event {
        let kind = EventKind::Translated { micros: 1 };
        Event { time_ns, module: 0, func: FuncId::from_u32(0), kind }
    }

    #[test]
    fn events_are_not_made_while_nobody_listens() {
        let stream = EventStream::default();
        stream.emit(|| unreachable!("nobody listens"));
        assert_eq!((stream.pop(), stream.dropped()), (None, 0));
        stream.listen(4);
        stream.emit(|| event(7));
        stream.stop();
        stream.emit(|| unreachable!("nobody listens any more"));
        assert_eq!(stream.pop(), Some(event(7)));
    }

    #[test]
    fn a_full_stream_drops_and_counts() {
        let stream = EventStream::default();
        stream.listen(3);
        (0..10).for_each(|t| stream.emit(|| event(t)));
        assert_eq!(stream.dropped(), 7);
        let kept: Vec<u64> = std::iter::from_fn(|| stream.pop()).map(|e| e.time_ns).collect();
        assert_eq!(kept, [0, 1, 2]);
    }

    #[test]
    fn many_threads_lose_nothing_uncounted() {
        let stream = EventStream::default();
        stream.listen(64);
        let mut seen = 0;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3)
                .map(|_| scope.spawn(|| (0..10_000).for_each(|t| stream.emit(|| event(t)))))
                .collect();
            while threads.iter().any(|thread| !thread.is_finished()) {
                seen += std::iter::from_fn(|| stream.pop()).count();
            }
        });
        seen += std::iter::from_fn(|| stream.pop()).count();
        assert_eq!(seen as u64 + stream.dropped(), 30_000);
    }
}
