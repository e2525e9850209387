//! Whether a worker may still offer what it does.

use std::sync::Arc;

use tonic::Status;

use crate::{
    model::ToolName,
    policy::Caller,
    registry,
    rpc::{auth::Pass, status},
};

/// A worker's right to be here: that of its caller.
#[derive(Debug)]
pub(super) struct Standing {
    pass: Pass,
    /// Who it was when it said what it offers.
    caller: Arc<Caller>,
    tools: Vec<ToolName>,
}

impl Standing {
    pub(super) fn new(pass: Pass, caller: Arc<Caller>, tools: Vec<ToolName>) -> Self {
        Self { pass, caller, tools }
    }

    /// Why it may be here no longer, if so.
    pub(super) fn objection(&self) -> Option<Status> {
        let Some(now) = self.pass.now() else { return Some(status::unauthenticated()) };
        if (&now.owner, &now.tenant) != (&self.caller.owner, &self.caller.tenant) {
            return Some(status::another_by_now());
        }
        let names = self.tools.iter().map(ToolName::as_str);
        let foreign: Vec<&str> = names.filter(|name| !now.knows(name)).collect();
        (!foreign.is_empty()).then(|| status::not_offered(&foreign, &now.tools))
    }
}

impl registry::Standing for Standing {
    fn holds(&self) -> bool {
        self.objection().is_none()
    }
}
