//! The command line.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use cupola::stress::{Stress, StressMode};
use cupola::tuning::Preset;
use cupola::{Mode, Tier};
use cupola_runtime::OptLevel;
use cupola_wasm::{Proposals, Validation};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Runs programs, starting in an interpreter and climbing to optimized native code.
#[derive(Debug, Parser)]
#[command(name = "cupola", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a program
    #[command(after_help = crate::host::HELP, override_usage = USAGE)]
    Run(Box<RunArgs>),
    /// Run specification scripts of WebAssembly
    #[command(after_help = crate::wast::HELP)]
    Wast(WastArgs),
    /// Show a program in one of the forms it takes on its way to machine code
    Dump(DumpArgs),
    /// Print a script that completes this command's arguments in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// How `cupola run` is used.
const USAGE: &str = "\
cupola run [OPTIONS] FILE [ARGS]...
       cupola run [OPTIONS] --invoke NAME FILE [ARGS]...
       cupola run [OPTIONS] FILE --invoke NAME [ARGS]... [OPTIONS]";

#[derive(Debug, Args)]
pub struct RunArgs {
    /// The program: WebAssembly (.wasm, .wat), or the engine's text format (.cir). All that stands
    /// behind it goes to a WebAssembly program, options too; those of this command stand before.
    /// (Behind a .cir file, and behind `FILE --invoke NAME ARGS`, they may follow.)
    pub file: PathBuf,

    /// Call this exported function, with arguments as its signature has them, and print its
    /// results one a line; without this the exported function `main` is called, of WebAssembly
    /// `_start`
    #[arg(long, value_name = "NAME")]
    pub invoke: Option<String>,

    /// Let a WASI program use this directory and all in it, under its own path or the one behind
    /// `::`; may be given several times
    #[arg(long, value_name = "HOST[::GUEST]", value_parser = dir)]
    pub dir: Vec<PreopenedDir>,

    /// Set an environment variable of a WASI program, without a value to that of this process;
    /// may be given several times
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = variable)]
    pub env: Vec<Variable>,

    /// The tiers to run in
    #[arg(long, value_name = "MODE", default_value = "auto", value_parser = modes())]
    pub mode: RunMode,

    /// How hard the peak compiler (T3) works
    #[arg(long, value_name = "LEVEL", default_value = "O3", value_parser = levels())]
    pub peak_opt: OptLevel,

    /// Never start the peak compiler's process; without this T3 is used if there is one
    #[arg(long)]
    pub no_peak: bool,

    /// When functions get to a higher tier
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = presets())]
    pub preset: Preset,

    /// At the end, print what ran in which tier and why, on stderr or to a file as JSON
    #[arg(
        long,
        value_name = "json:FILE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        value_parser = stats
    )]
    pub stats: Option<Stats>,

    /// Print what the engine does on stderr, one line an event
    #[arg(long)]
    pub log: bool,

    /// Do often what happens rarely, to test the engine (--help lists the modes)
    #[arg(long, value_name = "NAME[=ARG],…", default_value = "", hide_default_value = true)]
    #[arg(long_help = stress_help())]
    pub stress: Stress,

    /// End the program with a trap when it has used up this much: 1 for each call and each loop
    /// iteration
    #[arg(long, value_name = "N")]
    pub fuel: Option<u64>,

    /// End the program with a trap after this time, in seconds or with a unit (ms, s, m, h)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,

    /// Let a linear memory have at most this size (K, M or G may stand behind the number)
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub max_memory: Option<u64>,

    /// When to validate functions of a WebAssembly module; all else is always validated at load
    #[arg(long, value_name = "WHEN", default_value = "lazy", value_parser = validations())]
    pub validate: Validation,

    /// Refuse WebAssembly modules that use these proposals, which are accepted without this
    #[arg(long, value_name = "PROPOSAL,…", value_delimiter = ',', value_parser = proposals())]
    pub without: Vec<Proposals>,

    /// Do not reserve 6 GiB of address space for each linear memory, but check bounds in compiled
    /// code, which is slower; for where address space is limited
    #[arg(long)]
    pub no_memory_reservation: bool,

    /// Name compiled code in /tmp/perf-PID.map, for perf
    #[arg(long)]
    pub perf_map: bool,

    /// Count how often each block runs in T0 and T1, which the optimizer uses, and print the counts
    /// at the end on stderr
    #[arg(long)]
    pub block_counts: bool,

    /// Let the program use raw loads and stores, which reach all of this process's memory
    #[arg(long)]
    pub trust: bool,
}

#[derive(Debug, Args)]
pub struct WastArgs {
    /// The scripts (.wast)
    #[arg(required = true)]
    pub files: Vec<PathBuf>,

    /// The tiers to run in
    #[arg(long, value_name = "MODE", default_value = "auto", value_parser = modes())]
    pub mode: RunMode,

    /// When functions get to a higher tier
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = presets())]
    pub preset: Preset,

    /// Do often what happens rarely, to test the engine (--help lists the modes)
    #[arg(long, value_name = "NAME[=ARG],…", default_value = "", hide_default_value = true)]
    #[arg(long_help = stress_help())]
    pub stress: Stress,

    /// When to validate functions of modules that are not to be refused
    #[arg(long, value_name = "WHEN", default_value = "lazy", value_parser = validations())]
    pub validate: Validation,

    /// Refuse WebAssembly modules that use these proposals, which are accepted without this
    #[arg(long, value_name = "PROPOSAL,…", value_delimiter = ',', value_parser = proposals())]
    pub without: Vec<Proposals>,

    /// Do not reserve 6 GiB of address space for each linear memory, but check bounds in compiled
    /// code
    #[arg(long)]
    pub no_memory_reservation: bool,
}

#[derive(Debug, Args)]
pub struct DumpArgs {
    /// The program: WebAssembly (.wasm, .wat), or the engine's text format (.cir)
    pub file: PathBuf,

    /// The form to show
    #[arg(long)]
    pub stage: Stage,

    /// Only this function, not all
    #[arg(long, value_name = "NAME")]
    pub function: Option<String>,

    /// The tier whose code to show, of stages clif and asm
    #[arg(long, value_name = "N", default_value = "2", value_parser = tier)]
    pub tier: Tier,

    /// With stage ssa: show the function behind this pass of the optimizer, or behind each
    #[arg(long, value_name = "NAME", value_parser = passes())]
    pub pass: Option<String>,

    /// Code for an entry by on-stack replacement at this loop, not by a call
    #[arg(long, value_name = "LOOP", value_parser = loop_number)]
    pub osr: Option<u32>,

    /// Accept raw loads and stores
    #[arg(long)]
    pub trust: bool,
}

/// Which tiers functions run in.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum RunMode {
    /// As the engine has it.
    Tiers(Mode),
    /// Unoptimized code, then the peak compiler's O1, O2 and O3.
    Ladder,
}

/// Forms of a function.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    /// The register form: what a front end emits, and T0 and T1 read
    Register,
    /// The SSA form behind the optimizer: what T2 compiles
    Ssa,
    /// The code generator's own intermediate code
    Clif,
    /// Machine code
    Asm,
}

/// What to do with the statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stats {
    Table,
    Json(PathBuf),
}

/// A directory for a WASI program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreopenedDir {
    pub host: PathBuf,
    pub guest: String,
}

/// An environment variable for a WASI program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    /// None: as in this process.
    pub value: Option<String>,
}

/// Options of `run` whose value is the next word.
const WITH_VALUE: [&str; 12] = [
    "invoke",
    "dir",
    "env",
    "mode",
    "peak-opt",
    "preset",
    "stress",
    "fuel",
    "timeout",
    "max-memory",
    "validate",
    "without",
];

/// Takes what is for the program off the command line: gives what is for this command, and the
/// program's arguments, or those of the function to be called.
pub fn split_program_args(argv: impl Iterator<Item = OsString>) -> (Vec<OsString>, Vec<OsString>) {
    let mut argv: Vec<OsString> = argv.collect();
    if argv.get(1).is_none_or(|command| command != "run") {
        return (argv, Vec::new());
    }
    let mut file = 2;
    while let Some(word) = argv.get(file).and_then(|word| word.to_str()) {
        let Some(option) = word.strip_prefix('-') else { break };
        let long = option.strip_prefix('-').unwrap_or_default();
        file += if WITH_VALUE.contains(&long) { 2 } else { 1 };
        if word == "--" {
            break;
        }
    }
    if file >= argv.len() {
        return (argv, Vec::new());
    }
    let behind = argv.split_off(file + 1);
    let invokes = |word: &OsString| word.to_str().is_some_and(|w| w.starts_with("--invoke"));
    let cir = Path::new(&argv[file]).extension().is_some_and(|extension| extension == "cir");
    if !cir && !behind.first().is_some_and(invokes) {
        return (argv, behind);
    }
    let (options, call_args) = split_call_args(behind.into_iter());
    // With all options before the file, a `--` in front of it stays where it is.
    if argv[file - 1] == "--" {
        argv.splice(file - 1..file - 1, options);
    } else {
        argv.extend(options);
    }
    (argv, call_args)
}

/// Takes the arguments of the function to be called out of options, since `-1` and `-inf` look
/// like options: what follows the name behind `--invoke`, up to the next option.
fn split_call_args(argv: impl Iterator<Item = OsString>) -> (Vec<OsString>, Vec<OsString>) {
    let mut argv = argv.peekable();
    let mut rest = Vec::new();
    let mut call_args = Vec::new();
    while let Some(arg) = argv.next() {
        let apart = arg == "--invoke";
        let joined = arg.to_str().is_some_and(|arg| arg.starts_with("--invoke="));
        rest.push(arg);
        if apart {
            rest.extend(argv.next_if(|name| !is_option(name)));
        }
        if apart || joined {
            while let Some(value) = argv.next_if(|value| !is_option(value)) {
                call_args.push(value);
            }
        }
    }
    (rest, call_args)
}

fn is_option(arg: &OsString) -> bool {
    let Some(behind) = arg.to_str().and_then(|arg| arg.strip_prefix('-')) else { return false };
    let number = behind.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    !number && !["inf", "nan"].contains(&&*behind.to_ascii_lowercase())
}

fn modes() -> impl TypedValueParser<Value = RunMode> {
    let help = |tier| match tier {
        Tier::T0 => "only the interpreter",
        Tier::T1 => "only T1: every function is compiled at its first call, without optimization",
        Tier::T2 => "only T2: every function is optimized at its first call",
        _ => "only T3: every function is compiled by the peak compiler at its first call",
    };
    let tiers = [Tier::T0, Tier::T1, Tier::T2, Tier::T3];
    let tiers = tiers.map(|tier| PossibleValue::new(tier.name()).help(help(tier)));
    let auto = PossibleValue::new("auto").help("from the interpreter up as functions get hot");
    let ladder = PossibleValue::new("ladder")
        .help("unoptimized code, then LLVM's O1, O2 and O3 at 100, 1,000 and 10,000 calls");
    PossibleValuesParser::new([auto].into_iter().chain(tiers).chain([ladder])).map(|name| {
        let tier = Tier::ALL.into_iter().find(|tier| tier.name() == name);
        match (tier, name.as_str()) {
            (Some(tier), _) => RunMode::Tiers(Mode::Only(tier)),
            (None, "ladder") => RunMode::Ladder,
            (None, _) => RunMode::Tiers(Mode::Auto),
        }
    })
}

fn levels() -> impl TypedValueParser<Value = OptLevel> {
    PossibleValuesParser::new(OptLevel::ALL.map(OptLevel::name)).map(|name| {
        OptLevel::ALL.into_iter().find(|level| level.name() == name).unwrap_or_default()
    })
}

fn validations() -> impl TypedValueParser<Value = Validation> {
    let lazy = PossibleValue::new("lazy")
        .help("each at its first call, which traps with the error and its place");
    let eager = PossibleValue::new("eager").help("all before the program starts, in parallel");
    PossibleValuesParser::new([lazy, eager]).map(|name| match name.as_str() {
        "eager" => Validation::EagerParallel,
        _ => Validation::Lazy,
    })
}

fn proposals() -> impl TypedValueParser<Value = Proposals> {
    PossibleValuesParser::new(Proposals::names())
        .map(|name| Proposals::named(&name).unwrap_or_else(Proposals::empty))
}

fn presets() -> impl TypedValueParser<Value = Preset> {
    let value = |preset: Preset| PossibleValue::new(preset.name()).help(preset.help());
    PossibleValuesParser::new(Preset::ALL.map(value))
        .map(|name| Preset::from_name(&name).unwrap_or(Preset::Default))
}

fn passes() -> PossibleValuesParser {
    let names = cupola_opt::PASSES.iter().map(|pass| pass.name);
    PossibleValuesParser::new(["all", "construct"].into_iter().chain(names))
}

fn stress_help() -> String {
    let lines = StressMode::help_lines();
    format!("Do often what happens rarely, to test the engine:\n{}", lines.trim_end())
}

fn stats(text: &str) -> Result<Stats, String> {
    match text.strip_prefix("json:") {
        Some(file) if !file.is_empty() => Ok(Stats::Json(file.into())),
        None if text.is_empty() => Ok(Stats::Table),
        _ => Err("write --stats or --stats=json:FILE".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let seconds = match unit {
        "" | "s" => 1.0,
        "ms" => 1e-3,
        "m" => 60.0,
        "h" => 3600.0,
        _ => {
            return Err("not a duration: write a number of seconds, or 10ms, 2s, 3m, 1h".to_owned());
        }
    };
    let number = &text[..text.len() - unit.len()];
    let number: f64 = number.parse().map_err(|_| "not a duration".to_owned())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|error| error.to_string())
}

fn dir(text: &str) -> Result<PreopenedDir, String> {
    let (host, guest) = text.split_once("::").unwrap_or((text, text));
    if host.is_empty() || guest.is_empty() {
        return Err("write HOST or HOST::GUEST".to_owned());
    }
    Ok(PreopenedDir { host: host.into(), guest: guest.to_owned() })
}

fn variable(text: &str) -> Result<Variable, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    if name.is_empty() {
        return Err("write NAME or NAME=VALUE".to_owned());
    }
    Ok(Variable { name: name.to_owned(), value })
}

fn bytes(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let number: Option<u64> = digits.parse().ok();
    number.and_then(|n| n.checked_mul(unit)).ok_or_else(|| "not a number of bytes".to_owned())
}

fn tier(text: &str) -> Result<Tier, String> {
    let digits = text.strip_prefix('t').unwrap_or(text);
    let tier = digits.parse().ok().and_then(Tier::from_u8);
    tier.ok_or_else(|| "tiers are 0, 1, 2 and 3".to_owned())
}

fn loop_number(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("loop").unwrap_or(text);
    digits.parse().map_err(|_| "loops are numbered from 0 (`0` or `loop0`)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_with_a_value_are_those_of_the_parser() {
        let mut command = Cli::command();
        command.build();
        for option in command.find_subcommand("run").expect("there").get_opts() {
            let name = option.get_long().expect("all have long names");
            let takes = option.get_action().takes_values() && !option.is_require_equals_set();
            assert_eq!(WITH_VALUE.contains(&name), takes, "--{name}");
        }
    }

    #[track_caller]
    fn check(line: &str, rest: &str, args: &str) {
        let split = split_program_args(line.split(' ').map(OsString::from));
        let words = |text: &str| text.split_whitespace().map(OsString::from).collect();
        assert_eq!(split, (words(rest), words(args)), "{line}");
    }

    #[test]
    fn all_behind_the_file_is_the_programs() {
        check("c run f.wasm -x --mode t0 y", "c run f.wasm", "-x --mode t0 y");
        check("c run --mode t0 --log f.wasm -- a", "c run --mode t0 --log f.wasm", "-- a");
        check("c run --dir=a --env b f.wasm c", "c run --dir=a --env b f.wasm", "c");
        check("c run --stats f.wasm --stats", "c run --stats f.wasm", "--stats");
        check("c run -- -f.wasm --log", "c run -- -f.wasm", "--log");
        check("c run f.wasm x --invoke y", "c run f.wasm", "x --invoke y");
        check("c run --invoke g f.wasm -1 2", "c run --invoke g f.wasm", "-1 2");
        check("c run", "c run", "");
        check("c run --mode", "c run --mode", "");
        check("c run --mode t0", "c run --mode t0", "");
        check("c dump f.wasm --stage asm", "c dump f.wasm --stage asm", "");
    }

    #[test]
    fn call_arguments_end_at_the_next_option() {
        check("c run f --invoke g 1 -2 -.5 --log", "c run f --invoke g --log", "1 -2 -.5");
        check("c run f --invoke=g -inf -NaN -0x8 -h", "c run f --invoke=g -h", "-inf -NaN -0x8");
        check("c run f.cir --log --invoke g 3", "c run f.cir --log --invoke g", "3");
        check("c run f --invoke --log 3", "c run f --invoke --log 3", "");
        check("c run f --invoke", "c run f --invoke", "");
        check("c run -- f --invoke g 1", "c run --invoke g -- f", "1");
    }

    #[test]
    fn sizes_times_directories_variables() {
        assert_eq!(bytes("64K"), Ok(65536));
        assert_eq!(bytes("3"), Ok(3));
        for text in ["", "K", "-1", "1T", "99999999999G"] {
            assert!(bytes(text).is_err(), "{text}");
        }
        for (text, millis) in [("0.5", 500), ("20ms", 20), ("1.5s", 1500), ("2m", 120_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "-1", "nan", "inf", "1e30", "ms", "1d", "1.2.3s", "99999999999999999999h"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
        let both = |host: &str, guest: &str| {
            Ok(PreopenedDir { host: host.into(), guest: guest.to_owned() })
        };
        assert_eq!(dir("a"), both("a", "a"));
        assert_eq!(dir("a/b::/"), both("a/b", "/"));
        assert!(dir("").is_err() && dir("::a").is_err() && dir("a::").is_err());
        let value = |text| variable(text).map(|variable| variable.value);
        assert_eq!(value("A=b=c"), Ok(Some("b=c".to_owned())));
        assert_eq!(value("A="), Ok(Some(String::new())));
        assert_eq!(value("A"), Ok(None));
        assert!(variable("=a").is_err());
    }
}
