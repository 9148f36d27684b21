//! WASI preview 1: every function, and what it says when something is wrong.

mod descriptors;
mod directories;
mod escapes;
mod files;
mod guest;
mod paths;
mod pointers;
mod polling;
mod process;
