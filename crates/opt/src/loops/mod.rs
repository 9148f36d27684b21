//! Passes over loops and over what loops repeat.

pub mod licm;
pub mod memory;
pub mod osr;
mod repair;
pub mod rotate;
pub mod unguarded;
