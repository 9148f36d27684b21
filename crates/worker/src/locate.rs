//! Where the worker's executable is.

use crate::process::StartError;
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The executable's name.
const NAME: &str = "cupola-llvm";

/// The environment variable that names it.
const VARIABLE: &str = "CUPOLA_LLVM";

/// Finds the executable: where the variable says, beside this one, or on the search path.
///
/// # Errors
/// Says where it was looked for.
pub(crate) fn locate() -> Result<PathBuf, StartError> {
    let own = env::current_exe().ok();
    let variable = env::var_os(VARIABLE).filter(|named| !named.is_empty());
    let found = search(variable.as_deref(), own.as_deref(), env::var_os("PATH").as_deref());
    // Who names one wants it.
    found.map_err(if variable.is_some() { StartError::Hopeless } else { StartError::Absent })
}

fn search(
    variable: Option<&OsStr>,
    own: Option<&Path>,
    path: Option<&OsStr>,
) -> Result<PathBuf, String> {
    if let Some(named) = variable {
        let named = PathBuf::from(named);
        let missing = || format!("`{}`, which {VARIABLE} names, is not there", named.display());
        return if named.is_file() { Ok(named.clone()) } else { Err(missing()) };
    }
    let beside = own.and_then(Path::parent).map(|dir| dir.join(NAME));
    let on_path = path.into_iter().flat_map(env::split_paths).map(|dir| dir.join(NAME));
    let found = beside.into_iter().chain(on_path).find(|file| file.is_file());
    found.ok_or_else(|| {
        format!("`{NAME}` is neither beside this program, nor on PATH, nor named by {VARIABLE}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn in_this_order() {
        let dir = env::temp_dir().join(format!("cupola-locate-{}", std::process::id()));
        let (beside, path) = (dir.join("a"), dir.join("b"));
        for dir in [&beside, &path] {
            fs::create_dir_all(dir).unwrap();
        }
        let own = beside.join("program");
        let find = |variable: Option<&Path>| {
            search(variable.map(Path::as_os_str), Some(&own), Some(path.as_os_str()))
        };
        assert!(find(None).unwrap_err().contains("neither"));
        fs::write(path.join(NAME), "").unwrap();
        assert_eq!(find(None).unwrap(), path.join(NAME));
        fs::write(beside.join(NAME), "").unwrap();
        assert_eq!(find(None).unwrap(), beside.join(NAME));
        let named = dir.join("c");
        assert!(find(Some(&named)).unwrap_err().contains("is not there"));
        fs::write(&named, "").unwrap();
        assert_eq!(find(Some(&named)).unwrap(), named);
        fs::remove_dir_all(&dir).unwrap();
    }
}
