//! A turn as a test writes it.

use std::time::Duration;

use sidecall::proto::v1::{
    ExecuteBatchRequest, Ordering, PlanBatchRequest, References, ToolUse, ToolUses,
    execute_batch_request,
};

/// A turn as a test writes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turn(pub(crate) ExecuteBatchRequest);

impl Turn {
    /// Typed calls of `(id, tool, input)`.
    pub(crate) fn of<I, S>(calls: I) -> Self
    where
        I: IntoIterator<Item = (S, S, S)>,
        S: Into<String>,
    {
        let tool_uses = calls
            .into_iter()
            .map(|(id, name, input)| ToolUse {
                id: id.into(),
                name: name.into(),
                input_json: input.into(),
                ..ToolUse::default()
            })
            .collect();
        let turn = execute_batch_request::Turn::Typed(ToolUses { tool_uses });
        Self(ExecuteBatchRequest { turn: Some(turn), ..ExecuteBatchRequest::default() })
    }

    /// One call, `a`.
    pub(crate) fn one(tool: &str, input: &str) -> Self {
        Self::of([("a", tool, input)])
    }

    /// Anthropic's content blocks, or the message that holds them.
    pub(crate) fn anthropic(json: impl Into<String>) -> Self {
        Self::shaped(execute_batch_request::Turn::AnthropicJson(json.into()))
    }

    /// A turn as a provider writes it, in its field.
    pub(crate) fn shaped(turn: execute_batch_request::Turn) -> Self {
        Self(ExecuteBatchRequest { turn: Some(turn), ..ExecuteBatchRequest::default() })
    }

    /// With references resolved.
    pub(crate) fn with_references(mut self) -> Self {
        self.0.references = References::On.into();
        self
    }

    /// One after the other.
    pub(crate) fn ordered(mut self) -> Self {
        self.0.ordering = Ordering::Ordered.into();
        self
    }

    /// With a batch id.
    pub(crate) fn batch_id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.0.batch_id);
        self
    }

    /// Of this session.
    pub(crate) fn session(mut self, id: &str) -> Self {
        id.clone_into(&mut self.0.session_id);
        self
    }

    /// With so much time for the whole batch.
    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout = Some(timeout.try_into().unwrap());
        self
    }

    /// With so much time for each call.
    pub(crate) fn call_timeout(mut self, timeout: Duration) -> Self {
        self.0.call_timeout = Some(timeout.try_into().unwrap());
        self
    }

    /// Changes the typed call at `index`.
    pub(crate) fn call(mut self, index: usize, change: impl FnOnce(&mut ToolUse)) -> Self {
        let Some(execute_batch_request::Turn::Typed(typed)) = &mut self.0.turn else {
            panic!("not a typed turn")
        };
        change(&mut typed.tool_uses[index]);
        self
    }

    /// The call at `index` needs these.
    pub(crate) fn depends_on(self, index: usize, parents: &[&str]) -> Self {
        self.call(index, |call| call.depends_on = parents.iter().map(ToString::to_string).collect())
    }

    /// The same turn, to be planned only.
    pub(crate) fn to_plan(&self) -> PlanBatchRequest {
        let request = self.0.clone();
        PlanBatchRequest {
            references: request.references,
            ordering: request.ordering,
            session_id: request.session_id,
            turn: request.turn.map(Into::into),
        }
    }
}
