//! The thread that gets something out of running loops of optimized code, which count nothing.
//!
//! - Where a tier above exists, it asks them about once a millisecond to look for better code: it
//!   sets `VmLimits::sample` of the stores that run; the next poll of a loop finds it set and calls
//!   the engine, which takes that as a sample of where time goes. It is slower as long as nobody
//!   polls, and sleeps while nothing runs.
//! - Where a store is to be interrupted, it sends the thread that runs it a signal, and again until
//!   the interruption is noticed: loops of the highest tier do not look for it.
//!
//! The thread starts with the first optimized code, and sleeps while there is neither to do.

use crate::code::Execution;
use crate::store::Limits;
use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Between two ticks while loops poll.
const INTERVAL: Duration = Duration::from_millis(1);
/// The longest time between two ticks, which it comes to while no loop polls.
const LONGEST: Duration = Duration::from_millis(8);
/// After so many ticks at which nothing ran, the thread sleeps.
const IDLE_TICKS: u32 = 16;

/// The thread, as the engine sees it; it ends when this is dropped.
#[derive(Default)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Whether the thread sleeps until something runs.
    sleeping: AtomicBool,
}

struct State {
    stores: Vec<(Weak<Limits>, Arc<Execution>)>,
    /// There are loops that poll.
    sampling: bool,
    /// A store may be running that is to be interrupted.
    ringing: bool,
    /// Until the next tick.
    interval: Duration,
    stop: bool,
}

impl Default for State {
    fn default() -> State {
        State {
            stores: Vec::new(),
            sampling: false,
            ringing: false,
            interval: INTERVAL,
            stop: false,
        }
    }
}

/// What a tick has found.
struct Seen {
    /// Whether any store runs.
    running: bool,
    /// Whether any has polled since it was asked.
    polled: bool,
    /// Whether any is still to be interrupted.
    interrupting: bool,
}

/// Tells the thread that a store is to be interrupted.
#[derive(Clone)]
pub(crate) struct Bell(Arc<Shared>);

impl Bell {
    /// Tells it.
    pub fn ring(&self) {
        let mut state = self.0.state.lock();
        (state.ringing, state.interval) = (true, INTERVAL);
        self.0.sleeping.store(false, Ordering::Relaxed);
        self.0.changed.notify_one();
    }
}

impl Ticker {
    /// Adds a store.
    pub fn watch(&self, limits: &Arc<Limits>, execution: &Arc<Execution>) {
        let mut state = self.shared.state.lock();
        state.stores.retain(|(limits, _)| limits.strong_count() > 0);
        state.stores.push((Arc::downgrade(limits), execution.clone()));
    }

    /// Starts the thread, if it does not run; gives whether it does.
    pub fn start(&self) -> bool {
        let mut thread = self.thread.lock();
        if thread.is_none() {
            let shared = self.shared.clone();
            let builder = thread::Builder::new().name("cupola-ticker".to_owned());
            *thread = builder.spawn(move || shared.run()).ok();
        }
        thread.is_some()
    }

    /// From now on there are loops that poll. If the thread cannot be started, they stay where they
    /// are.
    pub fn sample(&self) {
        let mut state = self.shared.state.lock();
        if !state.sampling {
            (state.sampling, state.interval) = (true, INTERVAL);
            self.shared.changed.notify_one();
        }
        drop(state);
        self.start();
    }

    /// What wakes the thread for an interruption.
    pub fn bell(&self) -> Bell {
        Bell(self.shared.clone())
    }

    /// A store has started to run; its mark was set before, with a fence behind it.
    pub fn on_run(&self, limits: &Limits) {
        if limits.is_interrupting() {
            self.bell().ring();
        }
        if self.shared.sleeping.load(Ordering::Relaxed) {
            let _state = self.shared.state.lock();
            self.shared.sleeping.store(false, Ordering::Relaxed);
            self.shared.changed.notify_one();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.state.lock().stop = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.lock().take() {
            // It does not panic, and never owns the engine.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self) {
        let mut state = self.state.lock();
        let mut idle = 0;
        while !state.stop {
            let seen = state.tick();
            state.ringing = seen.interrupting;
            if !state.sampling && !state.ringing {
                self.changed.wait(&mut state);
                continue;
            }
            let slower = (state.interval * 2).min(LONGEST);
            state.interval = if seen.polled { INTERVAL } else { slower };
            idle = if seen.running { 0 } else { idle + 1 };
            if idle < IDLE_TICKS || state.ringing {
                let interval = state.interval;
                self.changed.wait_for(&mut state, interval);
                continue;
            }
            self.sleeping.store(true, Ordering::Relaxed);
            // Orders the flag before the marks that are read next, as a store that starts orders
            // its mark before it reads the flag: one of the two sees the other.
            fence(Ordering::SeqCst);
            if state.stores.iter().all(|(_, execution)| !execution.is_running()) {
                while self.sleeping.load(Ordering::Relaxed) && !state.stop {
                    self.changed.wait(&mut state);
                }
            }
            self.sleeping.store(false, Ordering::Relaxed);
            (state.interval, idle) = (INTERVAL, 0);
        }
    }
}

impl State {
    /// Asks all running stores for samples, if loops poll, and interrupts those that are to be.
    fn tick(&self) -> Seen {
        let mut seen = Seen { running: false, polled: false, interrupting: false };
        for (limits, execution) in &self.stores {
            if let Some(limits) = limits.upgrade().filter(|_| execution.is_running()) {
                seen.running = true;
                seen.polled |= self.sampling && !limits.ask_for_sample();
                if limits.is_interrupting() {
                    limits.nudge();
                    seen.interrupting = true;
                }
            }
        }
        seen
    }
}
