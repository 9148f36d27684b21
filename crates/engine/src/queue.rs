//! The compile queue: background workers that take the hottest job first.
//!
//! Workers are started by the first job, so that a run that never gets hot starts no thread. A
//! job whose function has meanwhile climbed, was pinned, or whose module is gone, is dropped when
//! its turn comes. Dropping the queue lets compilations that are under way finish, drops the
//! rest, and joins the workers.

use crate::module::ModuleInner;
use cupola_ir::{FuncId, LoopId};
use cupola_runtime::{Tier, spawn_elsewhere};
use parking_lot::{Condvar, Mutex};
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// What to compile.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Unit {
    /// The function.
    pub func: FuncId,
    /// The tier.
    pub tier: Tier,
    /// The loop to be entered at; none: entered by a call.
    pub osr: Option<LoopId>,
}

/// A unit on its way.
pub(crate) struct Job {
    pub module: Weak<ModuleInner>,
    pub unit: Unit,
    /// Hotness; the greatest is taken first.
    pub priority: u64,
    pub queued_at: Instant,
}

/// Orders jobs by priority, then the older first.
struct Entry(Job);

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> Ordering {
        let by_priority = self.0.priority.cmp(&other.0.priority);
        by_priority.then_with(|| other.0.queued_at.cmp(&self.0.queued_at))
    }
}

#[derive(Default)]
struct State {
    jobs: BinaryHeap<Entry>,
    workers: Vec<JoinHandle<()>>,
    /// Jobs being compiled.
    busy: usize,
    shutdown: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// How many jobs wait; written with the lock held. Whoever decides about functions reads it at
    /// each expiry of a counter, and need not know it exactly.
    waiting: AtomicUsize,
    /// Signalled when a job arrives, and at shutdown.
    arrived: Condvar,
    /// Signalled when a worker has finished a job.
    finished: Condvar,
}

/// The queue and its workers.
pub(crate) struct Queue {
    shared: Arc<Shared>,
    max_workers: usize,
    max_jobs: usize,
}

impl Queue {
    /// A queue that starts at most `max_workers` threads (at least one) and holds at most
    /// `max_jobs` jobs.
    pub fn new(max_workers: usize, max_jobs: usize) -> Queue {
        Queue { shared: Arc::default(), max_workers: max_workers.max(1), max_jobs }
    }

    /// Adds a job; gives it back if the queue is full or shut down, or no worker can be started.
    pub fn push(&self, job: Job) -> Result<(), Job> {
        let mut state = self.shared.state.lock();
        if state.shutdown || state.jobs.len() >= self.max_jobs {
            return Err(job);
        }
        let idle = state.workers.len() - state.busy.min(state.workers.len());
        if idle <= state.jobs.len() && state.workers.len() < self.max_workers {
            let shared = self.shared.clone();
            let name = format!("cupola-compile-{}", state.workers.len());
            match spawn_elsewhere(name, move || shared.work()) {
                Ok(worker) => state.workers.push(worker),
                Err(_) if state.workers.is_empty() => return Err(job),
                Err(_) => {}
            }
        }
        state.jobs.push(Entry(job));
        self.shared.note_waiting(&state);
        drop(state);
        self.shared.arrived.notify_one();
        Ok(())
    }

    /// How many jobs wait.
    pub fn len(&self) -> usize {
        self.shared.waiting.load(Relaxed)
    }

    /// Waits until no job waits and none is being compiled.
    pub fn drain(&self) {
        let mut state = self.shared.state.lock();
        while !state.jobs.is_empty() || state.busy > 0 {
            self.shared.finished.wait(&mut state);
        }
    }
}

impl Shared {
    fn note_waiting(&self, state: &State) {
        self.waiting.store(state.jobs.len(), Relaxed);
    }

    fn work(&self) {
        loop {
            let job = {
                let mut state = self.state.lock();
                loop {
                    if state.shutdown {
                        return;
                    }
                    if let Some(Entry(job)) = state.jobs.pop() {
                        self.note_waiting(&state);
                        state.busy += 1;
                        break job;
                    }
                    self.arrived.wait(&mut state);
                }
            };
            if let Some(module) = job.module.upgrade() {
                module.run_job(&job);
            }
            let mut state = self.state.lock();
            state.busy -= 1;
            drop(state);
            self.finished.notify_all();
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let workers = {
            let mut state = self.shared.state.lock();
            state.shutdown = true;
            state.jobs.clear();
            self.shared.note_waiting(&state);
            std::mem::take(&mut state.workers)
        };
        self.shared.arrived.notify_all();
        for worker in workers {
            // A worker may hold the last reference to the engine itself; it ends by the flag.
            if worker.thread().id() != thread::current().id() {
                // Compilation panics are caught, so that a worker never ends by one.
                let _ = worker.join();
            }
        }
    }
}
