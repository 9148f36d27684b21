//! Clocks, and waiting.

use crate::guest::{Guest, TempDir, errno, flags};
use cupola_wasm::wasi::{Clock, ClockId, OutputPipe, WasiBuilder};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A clock that only sleeping moves.
#[derive(Clone, Default)]
struct Fixed(Arc<AtomicU64>);

impl Clock for Fixed {
    fn now(&mut self, id: ClockId) -> u64 {
        self.0.load(Ordering::Relaxed) + if id == ClockId::Realtime { 1000 } else { 0 }
    }

    fn resolution(&mut self, _: ClockId) -> u64 {
        7
    }

    fn sleep(&mut self, duration: Duration) {
        self.0.fetch_add(duration.as_nanos() as u64, Ordering::Relaxed);
    }
}

/// A subscription to a clock.
fn clock(userdata: u64, id: u32, timeout: u64, flags: u16) -> [u8; 48] {
    let mut bytes = [0; 48];
    bytes[..8].copy_from_slice(&userdata.to_le_bytes());
    bytes[16..20].copy_from_slice(&id.to_le_bytes());
    bytes[24..32].copy_from_slice(&timeout.to_le_bytes());
    bytes[40..42].copy_from_slice(&flags.to_le_bytes());
    bytes
}

/// A subscription to a descriptor; `tag` 1 reads, 2 writes.
fn descriptor(userdata: u64, tag: u8, fd: i64) -> [u8; 48] {
    let mut bytes = [0; 48];
    bytes[..8].copy_from_slice(&userdata.to_le_bytes());
    bytes[8] = tag;
    bytes[16..20].copy_from_slice(&(fd as u32).to_le_bytes());
    bytes
}

/// What happened: user data, error, type, bytes.
fn poll(guest: &mut Guest, subscriptions: &[[u8; 48]]) -> Result<Vec<(u64, u16, u8, u64)>, u16> {
    let at = guest.put(&subscriptions.concat());
    let events = guest.put(&vec![0xee; subscriptions.len() * 32]);
    let count = guest.get_u32("poll_oneoff", &[at, events, subscriptions.len() as i64])?;
    let event = |i: u32| {
        let at = events + i64::from(i) * 32;
        let head = guest.bytes(at + 8, 3);
        let error = u16::from_le_bytes([head[0], head[1]]);
        (guest.u64(at), error, head[2], guest.u64(at + 16))
    };
    Ok((0..count).map(event).collect())
}

#[test]
fn clocks_tell_the_time() {
    let mut guest = Guest::new(WasiBuilder::new());
    let now = |guest: &mut Guest, id| guest.get_u64("clock_time_get", &[id, 0]);
    assert!(now(&mut guest, 0).expect("a clock") > 1_600_000_000_000_000_000);
    for id in 0..4 {
        let first = now(&mut guest, id).expect("a clock");
        assert!(now(&mut guest, id).expect("a clock") >= first);
        let resolution = guest.get_u64("clock_res_get", &[id]).expect("a clock");
        assert!((1..=1_000_000_000).contains(&resolution), "{resolution}");
    }
    for id in [4, -1] {
        assert_eq!(now(&mut guest, id), Err(errno::INVAL));
        assert_eq!(guest.get_u64("clock_res_get", &[id]), Err(errno::INVAL));
    }
    assert_eq!(guest.call("sched_yield", &[]), 0);
}

#[test]
fn the_embedder_sets_the_time() {
    let mut builder = WasiBuilder::new();
    let time = Fixed::default();
    builder.clock(time.clone());
    let mut guest = Guest::new(builder);
    time.0.store(50, Ordering::Relaxed);
    assert_eq!(guest.get_u64("clock_time_get", &[0, 0]), Ok(1050));
    assert_eq!(guest.get_u64("clock_time_get", &[1, 0]), Ok(50));
    assert_eq!(guest.get_u64("clock_res_get", &[1]), Ok(7));
    // The first that is due, of spans and points in time; an hour passes at once.
    let hour = 3_600_000_000_000;
    let both = [clock(1, 1, 2 * hour, 0), clock(2, 1, hour + 50, 1)];
    assert_eq!(poll(&mut guest, &both), Ok(vec![(2, 0, 0, 0)]));
    assert_eq!(time.0.load(Ordering::Relaxed), hour + 50);
    // Points that have passed, and two at once.
    let both = [clock(1, 0, 3, 1), clock(2, 1, hour, 1), clock(3, 1, hour, 0)];
    assert_eq!(poll(&mut guest, &both), Ok(vec![(1, 0, 0, 0), (2, 0, 0, 0)]));
    let both = [clock(1, 1, 10, 0), clock(2, 1, 10, 0)];
    assert_eq!(poll(&mut guest, &both), Ok(vec![(1, 0, 0, 0), (2, 0, 0, 0)]));
}

#[test]
fn sleeping_takes_as_long_as_it_is_to() {
    let mut guest = Guest::new(WasiBuilder::new());
    let start = Instant::now();
    assert_eq!(poll(&mut guest, &[clock(9, 1, 20_000_000, 0)]), Ok(vec![(9, 0, 0, 0)]));
    assert!(start.elapsed() >= Duration::from_millis(20));
    let now = guest.get_u64("clock_time_get", &[0, 0]).expect("a clock");
    let start = Instant::now();
    assert_eq!(poll(&mut guest, &[clock(9, 0, now + 20_000_000, 1)]), Ok(vec![(9, 0, 0, 0)]));
    assert!(start.elapsed() >= Duration::from_millis(10));
}

#[test]
fn descriptors_that_are_ready() {
    let dir = TempDir::new();
    dir.file("f", "contents");
    let mut builder = WasiBuilder::new();
    builder.stdin(b"input".to_vec()).stdout(&OutputPipe::new());
    builder.preopened_dir(dir.path(), "/").expect("there");
    let mut guest = Guest::new(builder);
    let file = guest.open(3, "f", 0).expect("there");
    guest.read(file, 3).expect("open");
    let hour = clock(1, 1, 3_600_000_000_000, 0);
    assert_eq!(poll(&mut guest, &[hour, descriptor(2, 1, 0)]), Ok(vec![(2, 0, 1, 5)]));
    assert_eq!(poll(&mut guest, &[hour, descriptor(2, 2, 1)]), Ok(vec![(2, 0, 2, 0)]));
    assert_eq!(poll(&mut guest, &[hour, descriptor(2, 1, file)]), Ok(vec![(2, 0, 1, 5)]));
    assert_eq!(poll(&mut guest, &[hour, descriptor(2, 2, file)]), Ok(vec![(2, 0, 2, 0)]));
    // Errors come at once, each with its subscription.
    let expected = vec![(2, errno::BADF, 1, 0), (3, errno::BADF, 2, 0), (4, errno::NOTSUP, 0, 0)];
    let subscriptions = [hour, descriptor(2, 1, 99), descriptor(3, 2, 0), clock(4, 2, 1, 0)];
    assert_eq!(poll(&mut guest, &subscriptions), Ok(expected));
    let event = poll(&mut guest, &[descriptor(5, 1, 3)]).expect("an event")[0];
    assert_ne!(event.1, 0);
    let event = poll(&mut guest, &[clock(5, 9, 0, 0), clock(6, 1, 0, 2)]).expect("events");
    assert_eq!(event, [(5, errno::INVAL, 0, 0), (6, errno::INVAL, 0, 0)]);
    let writer = guest.open_with(3, "f", 0, flags::WRITE, 0).expect("there");
    assert_eq!(poll(&mut guest, &[descriptor(1, 2, writer)]).expect("an event")[0].1, 76);
}

#[test]
fn a_pipe_that_nobody_writes_to_is_waited_for() {
    let dir = TempDir::new();
    let path = dir.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo is there");
    assert!(made.success());
    let mut guest = Guest::with_dir(&dir);
    // Open at both ends, so that opening does not wait.
    let pipe = guest.open_with(3, "pipe", 0, flags::ALL, flags::NONBLOCK).expect("there");
    assert_eq!(guest.read(pipe, 1), Err(errno::AGAIN));
    let start = Instant::now();
    let both = [descriptor(1, 1, pipe), clock(2, 1, 20_000_000, 0)];
    assert_eq!(poll(&mut guest, &both), Ok(vec![(2, 0, 0, 0)]));
    assert!(start.elapsed() >= Duration::from_millis(20));
    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, b"abc"))
        .expect("written");
    assert_eq!(poll(&mut guest, &both), Ok(vec![(1, 0, 1, 3)]));
    assert_eq!(guest.read(pipe, 10).expect("ready"), b"abc");
    assert_eq!(guest.seek(pipe, 0, 0), Err(errno::SPIPE));
}

#[test]
fn bad_polls() {
    let mut guest = Guest::new(WasiBuilder::new());
    assert_eq!(poll(&mut guest, &[]), Err(errno::INVAL));
    assert_eq!(guest.get_u32("poll_oneoff", &[0, 0, -1]), Err(errno::INVAL));
    assert_eq!(guest.get_u32("poll_oneoff", &[0, 0, 10_000]), Err(errno::FAULT));
    let mut unknown = clock(1, 1, 1, 0);
    unknown[8] = 3;
    assert_eq!(poll(&mut guest, &[unknown]), Err(errno::INVAL));
}
