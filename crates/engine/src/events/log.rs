//! The log: one line an event.

use super::{EntryPoint, Event, EventKind, EventStream};
use crate::engine::Engine;
use crate::module::ModuleInner;
use crate::stats::units;
use cupola_ir::{FuncId, SrcLoc};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Gives the names that events are printed with.
pub trait Names {
    /// Name of a function.
    fn func_name(&self, module: u32, func: FuncId) -> String;

    /// A source position; empty if unknown.
    fn location(&self, module: u32, loc: SrcLoc) -> String;
}

impl Event {
    /// The event as a line without line end, such as
    /// `   1.204 ms  compiled     %fib  t1 in 13 µs, 412 bytes, cranelift-none`.
    pub fn describe(&self, names: &dyn Names) -> String {
        let func = format!("%{}", names.func_name(self.module, self.func));
        let millis = self.time_ns as f64 / 1e6;
        let line = format!("{millis:>10.3} ms  {:<12} {func}  ", self.kind.name());
        line + &self.details(names)
    }

    fn details(&self, names: &dyn Names) -> String {
        let place = |func: FuncId, loc: SrcLoc| {
            let loc = names.location(self.module, loc);
            match (func == self.func, loc.is_empty()) {
                (true, true) => String::new(),
                (true, false) => format!(" at {loc}"),
                (false, true) => format!(" in inlined %{}", names.func_name(self.module, func)),
                (false, false) => {
                    format!(" in inlined %{} at {loc}", names.func_name(self.module, func))
                }
            }
        };
        match &self.kind {
            EventKind::Translated { micros } => format!("for t0 in {micros} µs"),
            EventKind::CompileQueued { tier, entry, priority } => {
                format!("{tier}{}, priority {priority}", of_entry(*entry))
            }
            EventKind::CompileCancelled { tier, entry } => format!("{tier}{}", of_entry(*entry)),
            EventKind::CompileStarted { tier, entry, waited_micros } => {
                format!("{tier}{} after {waited_micros} µs in the queue", of_entry(*entry))
            }
            EventKind::CompileFinished { tier, entry, micros, bytes, generator } => {
                let bytes = units::thousands(*bytes);
                format!("{tier}{} in {micros} µs, {bytes} bytes, {generator}", of_entry(*entry))
            }
            EventKind::CompileFailed { tier, entry, reason } => {
                format!("{tier}{}: {reason}", of_entry(*entry))
            }
            EventKind::Installed { tier, entry, generator, unit } => {
                let unit = unit.map_or(String::new(), |unit| {
                    format!(", in the unit of %{}", names.func_name(self.module, unit))
                });
                format!("{tier}{}, {generator}{unit}", of_entry(*entry))
            }
            EventKind::Promoted { from, to } => format!("from {from} to {to}"),
            EventKind::OsrEntered { tier, loop_id } => format!("{tier} at {loop_id}"),
            EventKind::Deoptimized { tier, reason, at, loc } => {
                format!("from {tier}: {}{}", reason.name(), place(*at, *loc))
            }
            EventKind::Invalidated { tier, entry, reason } => {
                format!("{tier}{}: {reason}", of_entry(*entry))
            }
            EventKind::Evicted { tier, entry, bytes } => {
                format!("{tier}{}, {} bytes", of_entry(*entry), units::thousands(*bytes))
            }
            EventKind::Reclaimed { tier, bytes } => {
                format!("{tier}, {} bytes", units::thousands(*bytes))
            }
            EventKind::Pinned { max_tier, reason } => format!("to {max_tier}: {reason}"),
            EventKind::Trapped { tier, reason, loc } => {
                format!("in {tier}: {reason}{}", place(self.func, *loc))
            }
        }
    }
}

/// What is said of an entry behind a tier; nothing for calls, which are the rule.
fn of_entry(entry: EntryPoint) -> String {
    match entry {
        EntryPoint::Call => String::new(),
        EntryPoint::Loop(id) => format!(" osr {id}"),
    }
}

/// How often the log looks for events.
const LOG_INTERVAL: Duration = Duration::from_millis(5);

/// Where a log gets its events and names from.
trait Source: Send + 'static {
    fn stream(&self) -> &EventStream;

    /// Names for the events that wait now.
    fn names(&self) -> Box<dyn Names>;
}

impl Source for Engine {
    fn stream(&self) -> &EventStream {
        self.events()
    }

    fn names(&self) -> Box<dyn Names> {
        Box::new(self.inner.live_modules())
    }
}

impl Names for Vec<Arc<ModuleInner>> {
    fn func_name(&self, module: u32, func: FuncId) -> String {
        let module = self.iter().find(|m| m.id == module);
        module.map_or_else(|| func.to_string(), |module| module.ir.func_name(func))
    }

    fn location(&self, module: u32, loc: SrcLoc) -> String {
        let module = self.iter().find(|m| m.id == module);
        module.map(|module| module.describe_loc(loc)).unwrap_or_default()
    }
}

/// Writes an engine's events as lines, from a thread of its own, until it is finished or dropped.
/// There is one stream, so a second log would get the events that the first does not.
#[derive(Debug)]
pub struct EventLog {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl EventLog {
    /// Starts to listen to the engine and to write to `out`. Names of modules that are dropped
    /// before the log is finished may be missing.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(engine: &Engine, out: impl Write + Send + 'static) -> io::Result<EventLog> {
        EventLog::spawn(engine.clone(), out)
    }

    fn spawn(source: impl Source, out: impl Write + Send + 'static) -> io::Result<EventLog> {
        source.stream().listen(EventStream::DEFAULT_CAPACITY);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("cupola-log".into()).spawn(move || {
            let mut out = io::BufWriter::new(out);
            loop {
                // Read first, so that all that was emitted before it was set is written.
                let last = stopped.load(Ordering::Acquire);
                write_events(&source, &mut out)?;
                if last {
                    return Ok(());
                }
                std::thread::park_timeout(LOG_INTERVAL);
            }
        })?;
        Ok(EventLog { stop, thread: Some(thread) })
    }

    /// Writes what is still in the stream, and ends.
    ///
    /// # Errors
    /// If writing failed, now or earlier.
    pub fn finish(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.stop.store(true, Ordering::Release);
        thread.thread().unpark();
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the log's thread panicked")))
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        // Nobody is left to be told that writing failed.
        let _ = self.end();
    }
}

fn write_events(source: &impl Source, out: &mut impl Write) -> io::Result<()> {
    let Some(first) = source.stream().pop() else { return Ok(()) };
    let names = source.names();
    let mut next = Some(first);
    while let Some(event) = next {
        writeln!(out, "{}", event.describe(&*names))?;
        next = source.stream().pop();
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cupola_ir::{DeoptReason, LoopId};
    use cupola_runtime::Tier;
    use parking_lot::Mutex;

    struct TestNames;

    struct TestSource(Arc<EventStream>);

    impl Source for TestSource {
        fn stream(&self) -> &EventStream {
            &self.0
        }

        fn names(&self) -> Box<dyn Names> {
            Box::new(TestNames)
        }
    }

    impl Names for TestNames {
        fn func_name(&self, _module: u32, func: FuncId) -> String {
            ["fib", "sum"][func.as_u32() as usize].to_owned()
        }

        fn location(&self, _module: u32, loc: SrcLoc) -> String {
            if loc == SrcLoc::UNKNOWN { String::new() } else { "3:5".to_owned() }
        }
    }

    fn event(kind: EventKind) -> Event {
        Event { time_ns: 1_204_000, module: 0, func: FuncId::from_u32(0), kind }
    }

    #[test]
    fn lines_for_people() {
        let check = |kind: EventKind, expected: &str| {
            assert_eq!(event(kind).describe(&TestNames), expected);
        };
        check(
            EventKind::CompileFinished {
                tier: Tier::T1,
                entry: EntryPoint::Call,
                micros: 13,
                bytes: 1_412,
                generator: "cranelift-none".into(),
            },
            "     1.204 ms  compiled     %fib  t1 in 13 µs, 1,412 bytes, cranelift-none",
        );
        check(
            EventKind::Installed {
                tier: Tier::T2,
                entry: EntryPoint::Loop(LoopId::from_u32(1)),
                generator: "cranelift-speed".into(),
                unit: None,
            },
            "     1.204 ms  installed    %fib  t2 osr loop1, cranelift-speed",
        );
        check(
            EventKind::Deoptimized {
                tier: Tier::T2,
                reason: DeoptReason::GuardFailed,
                at: FuncId::from_u32(1),
                loc: SrcLoc::line_column(3, 5),
            },
            "     1.204 ms  deoptimized  %fib  from t2: guard_failed in inlined %sum at 3:5",
        );
        check(
            EventKind::Trapped {
                tier: Tier::T0,
                reason: "integer division by zero".into(),
                loc: SrcLoc::UNKNOWN,
            },
            "     1.204 ms  trapped      %fib  in t0: integer division by zero",
        );
    }

    /// A writer whose contents can be looked at afterwards.
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_log_has_every_event_when_it_ends() {
        let stream = Arc::new(EventStream::default());
        let out = Shared::default();
        let log = EventLog::spawn(TestSource(Arc::clone(&stream)), out.clone()).unwrap();
        for _ in 0..100 {
            stream.emit(|| event(EventKind::Promoted { from: Tier::T0, to: Tier::T1 }));
        }
        log.finish().unwrap();
        let text = String::from_utf8(out.0.lock().clone()).unwrap();
        assert_eq!(text.lines().count(), 100);
        assert!(text.lines().all(|line| line.ends_with("promoted     %fib  from t0 to t1")));
    }
}
