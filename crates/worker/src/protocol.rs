//! What goes over the wire: frames and messages.
//!
//! A frame is a length (four bytes, little-endian, at most [`MAX_FRAME`]) and so many bytes of a
//! message in postcard's encoding. The client sends [`Hello`] and gets one back, or a refusal; then
//! it sends [`Request`]s one at a time, each answered by one [`Reply`]. The module's declarations
//! are sent only when they differ from those sent last.

use cupola_ir::{Block, DeoptReason, FuncId, Function, Module};
use cupola_runtime::{
    Artifact, CodegenOptions, CompileError, CompileRequest, ContextLayout, FeedbackLayout, Helper,
    OptLevel, VmContext, VmLimits,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

/// The longest frame.
pub const MAX_FRAME: usize = 64 << 20;

/// Number of this protocol; changed with any message.
pub const PROTOCOL: u32 = 2;

/// Who speaks. Both sides have to agree on all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// Version of the engine.
    pub engine: String,
    /// Hash of what both sides have to have in common besides: opcodes, helpers, layouts.
    pub fingerprint: u64,
    /// The processor's features that code is generated for.
    pub cpu: String,
}

impl Hello {
    /// What this build says.
    pub fn ours() -> Hello {
        Hello {
            protocol: PROTOCOL,
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            fingerprint: fingerprint(),
            cpu: cpu_features(),
        }
    }

    /// The first difference from `other`, for people.
    pub fn difference(&self, other: &Hello) -> Option<String> {
        if self.protocol != other.protocol {
            Some(format!("protocol {} and not {}", other.protocol, self.protocol))
        } else if self.engine != other.engine {
            Some(format!("version {} and not {}", other.engine, self.engine))
        } else if self.fingerprint != other.fingerprint {
            Some("another build of the same version".to_owned())
        } else if self.cpu != other.cpu {
            Some(format!("processor features `{}` and not `{}`", other.cpu, self.cpu))
        } else {
            None
        }
    }
}

/// FNV-1a (Fowler, Noll, Vo) over names and offsets.
fn fingerprint() -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for &byte in bytes.iter().chain(&[0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for &op in cupola_ir::Op::ALL {
        add(op.name().as_bytes());
    }
    for helper in Helper::ALL {
        add(helper.name().as_bytes());
    }
    for reason in DeoptReason::ALL {
        add(reason.name().as_bytes());
    }
    let offsets = [VmContext::LIMITS, VmContext::FUNCS, VmLimits::INTERRUPT, VmLimits::STACK_LIMIT];
    for offset in offsets {
        add(&offset.to_le_bytes());
    }
    hash
}

/// The features of this processor that code generators look at.
fn cpu_features() -> String {
    let mut features: Vec<&str> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! detect {
            ($($name:tt)*) => {
                $(if std::arch::is_x86_feature_detected!($name) { features.push($name); })*
            };
        }
        detect!("sse3" "ssse3" "sse4.1" "sse4.2" "popcnt" "avx" "avx2" "fma" "bmi1" "bmi2" "lzcnt"
            "avx512f" "avx512bw" "avx512dq" "avx512vl");
    }
    features.join(" ")
}

/// What is common to the functions of a module.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Declarations {
    /// The module, without names, data and exports.
    pub module: Module,
    /// Offsets of instance state.
    pub context: ContextLayout,
}

impl Declarations {
    /// What code generation needs of a module.
    pub fn of(module: &Module, context: &ContextLayout) -> Declarations {
        let mut declarations = Module {
            sigs: module.sigs.clone(),
            funcs: module.funcs.clone(),
            memories: module.memories.clone(),
            globals: module.globals.clone(),
            tables: module.tables.clone(),
            dialect_ops: module.dialect_ops.clone(),
            trusted: module.trusted,
            loc_style: module.loc_style,
            ..Module::default()
        };
        declarations.funcs.values_mut().for_each(|func| func.name = None);
        Declarations { module: declarations, context: context.clone() }
    }
}

/// One function of a request, as it is written.
#[derive(Serialize)]
struct MemberRef<'a> {
    func: FuncId,
    register_form: &'a Function,
    code: &'a Function,
    osr_header: Option<Block>,
    feedback: FeedbackLayout,
    calls: u64,
}

/// One function of a request.
#[derive(Debug, Deserialize)]
pub struct Member {
    func: FuncId,
    register_form: Function,
    code: Function,
    osr_header: Option<Block>,
    feedback: FeedbackLayout,
    calls: u64,
}

/// What is wanted of the functions.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// The artifact.
    Artifact,
    /// The code generator's intermediate code, as text.
    Dump,
}

#[derive(Serialize)]
struct UnitRef<'a> {
    wanted: Wanted,
    level: OptLevel,
    options: CodegenOptions,
    members: Vec<MemberRef<'a>>,
}

/// Functions to compile together.
#[derive(Debug, Deserialize)]
pub struct Unit {
    /// What is wanted.
    pub wanted: Wanted,
    /// How hard to work.
    pub level: OptLevel,
    /// Options.
    pub options: CodegenOptions,
    members: Vec<Member>,
}

impl Unit {
    /// The requests as a code generator takes them.
    pub fn requests<'a>(&'a self, declarations: &'a Declarations) -> Vec<CompileRequest<'a>> {
        let request = |member: &'a Member| CompileRequest {
            module: &declarations.module,
            context: &declarations.context,
            func: member.func,
            register_form: &member.register_form,
            code: &member.code,
            osr_header: member.osr_header,
            feedback: &member.feedback,
            calls: member.calls,
            options: self.options,
        };
        self.members.iter().map(request).collect()
    }
}

/// What the client asks; the first field of a frame behind the handshake.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// A [`Declarations`] follows, for the requests from now on.
    Declarations,
    /// A [`Unit`] follows.
    Unit,
}

/// What the worker answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    /// The artifact.
    Artifact(Box<Artifact>),
    /// The text asked for.
    Text(String),
    /// There is none.
    Failed(CompileError),
}

/// What the worker answers to a [`Hello`].
#[derive(Debug, Serialize, Deserialize)]
pub enum Greeting {
    /// It is of the same kind.
    Hello(Hello),
    /// It is not, and ends.
    Refused(Hello),
}

/// The frame of a message.
///
/// # Errors
/// If the message is too long.
pub fn frame(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let bytes = postcard::to_extend(message, vec![0; 4]).map_err(io::Error::other)?;
    close_frame(bytes)
}

fn close_frame(mut bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    let len = bytes.len() - 4;
    if len > MAX_FRAME {
        let message = format!("a message of {len} bytes is longer than {MAX_FRAME}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    bytes[..4].copy_from_slice(&(len as u32).to_le_bytes());
    Ok(bytes)
}

/// The frame of a request with what follows it.
fn request_frame(request: &Request, body: &impl Serialize) -> io::Result<Vec<u8>> {
    let bytes = postcard::to_extend(request, vec![0; 4]).map_err(io::Error::other)?;
    close_frame(postcard::to_extend(body, bytes).map_err(io::Error::other)?)
}

/// The frame of a module's declarations.
///
/// # Errors
/// If they are too long.
pub fn declarations_frame(module: &Module, context: &ContextLayout) -> io::Result<Vec<u8>> {
    request_frame(&Request::Declarations, &Declarations::of(module, context))
}

/// The frame of a unit; `options` are those of its first function.
///
/// # Errors
/// If it is too long.
pub fn unit_frame(
    wanted: Wanted,
    level: OptLevel,
    options: CodegenOptions,
    unit: &[CompileRequest<'_>],
) -> io::Result<Vec<u8>> {
    let members = unit
        .iter()
        .map(|request| MemberRef {
            func: request.func,
            register_form: request.register_form,
            code: request.code,
            osr_header: request.osr_header,
            feedback: *request.feedback,
            calls: request.calls,
        })
        .collect();
    request_frame(&Request::Unit, &UnitRef { wanted, level, options, members })
}

/// Writes a frame.
///
/// # Errors
/// If it cannot be written.
pub fn write_frame(to: &mut impl Write, frame: &[u8]) -> io::Result<()> {
    to.write_all(frame)?;
    to.flush()
}

/// Reads a frame; none at the end of the stream.
///
/// # Errors
/// If the stream ends within a frame, or the frame is too long.
pub fn read_frame(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut len = [0; 4];
    let mut have = 0;
    while have < len.len() {
        match from.read(&mut len[have..]) {
            Ok(0) if have == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => have += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let len = u32::from_le_bytes(len) as usize;
    if len > MAX_FRAME {
        let message = format!("a frame of {len} bytes is longer than {MAX_FRAME}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    // Memory is taken as bytes come, whatever the length says.
    let mut bytes = Vec::new();
    from.take(len as u64).read_to_end(&mut bytes)?;
    if bytes.len() < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(bytes))
}

/// The message of a frame; all of the frame has to be it.
///
/// # Errors
/// If it is not one.
pub fn parse<T: DeserializeOwned>(frame: &[u8]) -> io::Result<T> {
    match parse_prefix(frame)? {
        (message, []) => Ok(message),
        (_, rest) => {
            let message = format!("{} bytes behind the message", rest.len());
            Err(io::Error::new(io::ErrorKind::InvalidData, message))
        }
    }
}

/// The message at the start of a frame, and what follows it.
///
/// # Errors
/// If there is none.
pub fn parse_prefix<T: DeserializeOwned>(frame: &[u8]) -> io::Result<(T, &[u8])> {
    postcard::take_from_bytes(frame)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back() {
        let hello = Hello::ours();
        let bytes = frame(&hello).unwrap();
        let mut from = &bytes[..];
        let read = read_frame(&mut from).unwrap().unwrap();
        assert_eq!(parse::<Hello>(&read).unwrap(), hello);
        assert!(read_frame(&mut from).unwrap().is_none());
        for cut in 1..bytes.len() {
            assert!(read_frame(&mut &bytes[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        assert!(read_frame(&mut &[0xff; 16][..]).is_err());
        for len in 0..64 {
            let garbage: Vec<u8> = (0..len).map(|i| (i * 151 + 17) as u8).collect();
            assert!(parse::<Hello>(&garbage).is_err());
            let _ = parse::<Reply>(&garbage);
            let _ = parse_prefix::<Unit>(&garbage);
            let _ = parse_prefix::<Declarations>(&garbage);
        }
        let mut bytes = postcard::to_stdvec(&Hello::ours()).unwrap();
        bytes.push(0);
        assert!(parse::<Hello>(&bytes).is_err());
    }

    #[test]
    fn differences_are_named() {
        let ours = Hello::ours();
        assert_eq!(ours.difference(&ours), None);
        let other = |change: fn(&mut Hello)| {
            let mut other = ours.clone();
            change(&mut other);
            ours.difference(&other).unwrap()
        };
        assert!(other(|h| h.protocol += 1).starts_with("protocol 3"));
        assert!(other(|h| h.engine = "7.1".into()).starts_with("version 7.1"));
        assert!(other(|h| h.fingerprint ^= 1).contains("build"));
        assert!(other(|h| h.cpu = "none".into()).contains("none"));
    }
}
