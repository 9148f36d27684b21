//! Asks running loops of optimized code, about once a millisecond, to look for better code.
//!
//! Optimized code does not count its iterations. Where a tier above it exists, a thread sets
//! `VmLimits::sample` of the stores that run; the next poll of a loop finds it set and calls the
//! engine, which takes that as a sample of where time goes. The thread starts with the first code
//! that polls, is slower as long as nobody polls, and sleeps while nothing runs.

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

#[derive(Default)]
struct State {
    stores: Vec<(Weak<Limits>, Arc<Execution>)>,
    stop: bool,
}

impl Ticker {
    /// Adds a store.
    pub fn watch(&self, limits: &Arc<Limits>, execution: &Arc<Execution>) {
        let mut state = self.shared.state.lock();
        state.stores.retain(|(limits, _)| limits.strong_count() > 0);
        state.stores.push((Arc::downgrade(limits), execution.clone()));
    }

    /// Starts the thread, if it does not run. That it cannot be started only means that loops stay
    /// where they are.
    pub fn start(&self) {
        let mut thread = self.thread.lock();
        if thread.is_none() {
            let shared = self.shared.clone();
            let builder = thread::Builder::new().name("cupola-ticker".to_owned());
            *thread = builder.spawn(move || shared.run()).ok();
        }
    }

    /// A store has started to run; its mark was set before, with a fence behind it.
    pub fn on_run(&self) {
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
        let (mut interval, mut idle) = (INTERVAL, 0);
        while !state.stop {
            let (running, polled) = state.tick();
            interval = if polled { INTERVAL } else { (interval * 2).min(LONGEST) };
            idle = if running { 0 } else { idle + 1 };
            if idle < IDLE_TICKS {
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
            (interval, idle) = (INTERVAL, 0);
        }
    }
}

impl State {
    /// Asks all running stores; gives whether any runs, and whether any has polled since asked.
    fn tick(&self) -> (bool, bool) {
        let (mut running, mut polled) = (false, false);
        for (limits, execution) in &self.stores {
            if let Some(limits) = limits.upgrade().filter(|_| execution.is_running()) {
                running = true;
                polled |= !limits.ask_for_sample();
            }
        }
        (running, polled)
    }
}
