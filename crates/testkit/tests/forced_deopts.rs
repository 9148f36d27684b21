//! The bench programs give the same where optimized code is made to leave all the time.

use cupola::ir::{FuncId, ParsedModule, parse};
use cupola::runtime::DeoptReason;
