//! What Cupola is tested with: filetests, random programs, and checks of one tier by another.
//!
//! - [`mode`]: the ways in which every program has to run with the same results.
//! - [`session`]: runs the functions of a module in one of them and records all that can be seen.
//! - [`filetest`]: programs with directives that say what to expect.
//! - [`frame_maps`]: checks of what optimized code hands over at exits and takes at entries.
//! - [`fuzz`]: what fuzz targets check.
//! - [`generate`]: random programs, and what happens when they run in all modes.
//!
//! None of this is part of the engine; it is for development only.

pub mod filetest;
pub mod frame_maps;
pub mod fuzz;
pub mod generate;
pub mod mode;
pub mod session;
