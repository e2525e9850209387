//! What was done with a workload, and why.

use std::fmt;

/// One workload's line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    /// The line on which it begins.
    pub line: usize,
    /// What it is: `deployment/agents/planner`.
    pub workload: String,
    /// What was done.
    pub verdict: Verdict,
    /// What its reader should know besides.
    pub notes: Vec<String>,
}

/// What was done with a workload.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It got a sidecar.
    Injected {
        /// The containers that reach it.
        containers: Vec<String>,
        /// The version whose sidecar it had before.
        instead_of: Option<String>,
    },
    /// It has just this sidecar.
    Unchanged,
    /// Its sidecar was taken out.
    Uninjected,
    /// It was to lose a sidecar, and has none.
    HadNone,
    /// It wants none, or can have none.
    Passed(String),
    /// It is to have one, or to lose it, and that cannot be done.
    LeftAlone(String),
}

impl Verdict {
    /// Whether something was found that a person should look at.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        matches!(self, Self::LeftAlone(_))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.workload)?;
        match &self.verdict {
            Verdict::Injected { containers, instead_of } => {
                let containers = containers.join(", ");
                match instead_of {
                    Some(version) => write!(f, "injected anew (was {version}), for {containers}")?,
                    None => write!(f, "injected, for {containers}")?,
                }
            }
            Verdict::Unchanged => f.write_str("already injected, nothing to change")?,
            Verdict::Uninjected => f.write_str("uninjected")?,
            Verdict::HadNone => f.write_str("not injected, nothing to take out")?,
            Verdict::Passed(why) | Verdict::LeftAlone(why) => write!(f, "left alone: {why}")?,
        }
        self.notes.iter().try_for_each(|note| write!(f, "; {note}"))
    }
}
