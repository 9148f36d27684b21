//! Whole processes: wall time from spawn to exit, and the greatest resident set.

use std::io::Read;
use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

/// A command whose runs are timed.
#[derive(Clone, Debug)]
pub struct Program {
    /// Name in tables.
    pub name: String,
    /// The executable.
    pub path: PathBuf,
    /// Arguments before `n`.
    pub args: Vec<String>,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Nanoseconds from before the spawn until the exit was seen.
    pub ns: f64,
    /// Nanoseconds of processor time, of all its threads.
    pub cpu_ns: f64,
    /// Greatest resident set in KiB. The kernel counts what the process shared with its parent
    /// between fork and exec, so it is never less than what this process itself had resident.
    pub max_rss_kib: i64,
    /// What it printed, without the end of line.
    pub stdout: String,
}

impl Program {
    /// Runs the command with some more arguments. Its standard error is this process's.
    pub fn run(&self, more: &[String]) -> Result<Run, String> {
        let mut command = Command::new(&self.path);
        command.args(&self.args).args(more);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let failed = |what: &dyn std::fmt::Display| format!("{}: {what}", self.path.display());

        let start = Instant::now();
        let mut child = command.spawn().map_err(|e| failed(&e))?;
        let mut stdout = String::new();
        let pipe = child.stdout.as_mut().expect("stdout is piped");
        pipe.read_to_string(&mut stdout).map_err(|e| failed(&e))?;
        let (status, usage) = wait(child.id()).map_err(|e| failed(&e))?;
        let ns = start.elapsed().as_nanos() as f64;

        if status != 0 {
            return Err(failed(&format!("ended with wait status {status:#x}")));
        }
        Ok(Run {
            ns,
            cpu_ns: nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime),
            max_rss_kib: usage.ru_maxrss,
            stdout: stdout.trim_end().to_owned(),
        })
    }
}

impl Program {
    /// Runs the command without timing it; gives what it printed, without the end of line. What it
    /// writes on standard error becomes the error if it fails.
    pub fn output(&self, more: &[String]) -> Result<String, String> {
        let mut command = Command::new(&self.path);
        command.args(&self.args).args(more).stdin(Stdio::null());
        let failed = |what: &dyn std::fmt::Display| format!("{}: {what}", self.path.display());
        let output = command.output().map_err(|e| failed(&e))?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            let lines: Vec<&str> = stderr.lines().take(3).collect();
            return Err(failed(&format!("{}: {}", output.status, lines.join(" / "))));
        }
        let stdout = String::from_utf8(output.stdout).map_err(|e| failed(&e))?;
        Ok(stdout.trim_end().to_owned())
    }
}

fn nanoseconds(time: libc::timeval) -> f64 {
    time.tv_sec as f64 * 1e9 + time.tv_usec as f64 * 1e3
}

/// Waits for a child; gives its wait status and what it used.
fn wait(pid: u32) -> std::io::Result<(i32, libc::rusage)> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both pointers are to live variables of the right type.
        let waited = unsafe { libc::wait4(pid as i32, &mut status, 0, usage.as_mut_ptr()) };
        if waited == pid as i32 {
            // SAFETY: zeroed, which is valid for a struct of integers, and then filled by `wait4`.
            return Ok((status, unsafe { usage.assume_init() }));
        }
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Result<Run, String> {
        let args = vec!["-c".to_owned(), script.to_owned()];
        Program { name: "sh".into(), path: "/bin/sh".into(), args }.run(&[])
    }

    #[test]
    fn output_time_and_memory() {
        let run = sh("sleep 0.02; echo 42").unwrap();
        assert_eq!(run.stdout, "42");
        assert!(run.ns >= 2e7 && run.cpu_ns < run.ns && run.max_rss_kib > 100, "{run:?}");
    }

    #[test]
    fn failures_are_errors() {
        let error = sh("exit 3").unwrap_err();
        assert!(error.contains("0x300"), "{error}");
        let args = ["-c", "echo why >&2; exit 3"].map(str::to_owned).to_vec();
        let error = Program { name: "sh".into(), path: "/bin/sh".into(), args }.output(&[]);
        let error = error.unwrap_err();
        assert!(error.contains("status: 3") && error.contains("why"), "{error}");
    }
}
