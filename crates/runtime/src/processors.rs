//! Where new threads start.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::unix::thread::JoinHandleExt;
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle};

/// Starts a thread on another processor than the caller's, if it may use one; later it runs
/// wherever the system lets it.
///
/// Linux may put a new thread behind its creator, which in turn runs on until its slice is used up,
/// while another processor has nothing to do: code that a thread was started to compile came 2 to
/// 3 ms late, of programs that ran for 25.
///
/// # Errors
/// If the system starts no thread.
pub fn spawn_elsewhere(
    name: String,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let builder = Builder::new().name(name);
    let Some(allowed) = allowed() else { return builder.spawn(run) };
    let (moved, wait) = mpsc::channel::<()>();
    let thread = builder.spawn(move || {
        // Ends when the creator has dropped its end.
        let _ = wait.recv();
        // SAFETY: the set is valid, and has the size that is said. 0 is this thread.
        unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &allowed) };
        run();
    })?;
    let mut others = allowed;
    // SAFETY: `sched_getcpu` has no preconditions; CPU_CLR ignores numbers outside of the set.
    unsafe {
        if let Ok(here) = usize::try_from(libc::sched_getcpu()) {
            libc::CPU_CLR(here, &mut others);
        }
    }
    // A failure only leaves the thread where it is.
    // SAFETY: the thread was not joined yet; the set is valid, and has the size that is said.
    unsafe {
        libc::pthread_setaffinity_np(thread.as_pthread_t(), size_of::<libc::cpu_set_t>(), &others);
    }
    drop(moved);
    Ok(thread)
}

/// The processors that the calling thread may run on, if these are several.
fn allowed() -> Option<libc::cpu_set_t> {
    // SAFETY: a set of zeros is an empty one; the size said is its own.
    unsafe {
        let mut set: libc::cpu_set_t = zeroed();
        let known = libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) == 0;
        (known && libc::CPU_COUNT(&set) > 1).then_some(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The thread may use all that its creator may.
    #[test]
    fn the_restriction_ends() {
        let count = |set: Option<libc::cpu_set_t>| {
            // SAFETY: the set is valid.
            set.map(|set| unsafe { libc::CPU_COUNT(&set) })
        };
        let (tell, told) = mpsc::channel();
        let thread = spawn_elsewhere("elsewhere".into(), move || {
            let name = std::thread::current().name().map(str::to_owned);
            tell.send((name, count(allowed()))).expect("the creator waits");
        });
        thread.expect("a thread can be started").join().expect("it does not panic");
        let found = told.recv().expect("it was sent");
        assert_eq!(found, (Some("elsewhere".to_owned()), count(allowed())));
    }
}
