//! What tools are made of: APIs, their retries, requests. Kept, so that the next
//! configuration takes over what it says alike.

use std::{collections::HashMap, sync::Arc};

use super::Error;
use crate::{
    backend::http,
    model::{ApiName, ToolName},
    registry::{self, Renewed, Tool},
    retry,
    telemetry::spans,
};

/// The parts of one configuration's tools.
#[derive(Debug, Default)]
pub(super) struct Parts {
    apis: HashMap<ApiName, Arc<http::Api>>,
    retries: HashMap<ApiName, Arc<retry::Policy>>,
    requests: HashMap<ToolName, http::RequestSettings>,
}

/// What a configuration says of them.
pub(super) struct Declared {
    pub(super) apis: Vec<http::ApiSettings>,
    pub(super) retries: Vec<(ApiName, retry::Settings)>,
    pub(super) tools: Vec<(registry::tool::Settings, http::RequestSettings)>,
}

impl Parts {
    /// The parts of another configuration, and its tools. An API that is as it was is
    /// the same, one that is still where it was keeps its connections, and retries
    /// keep what their budgets have seen.
    ///
    /// # Errors
    ///
    /// An API that cannot be used; nothing has changed then.
    pub(super) fn succeeded(&self, declared: Declared) -> Result<(Self, Vec<Renewed>), Error> {
        let mut next = Self::default();
        for settings in declared.apis {
            let name = settings.name.clone();
            let api = match self.apis.get(&name) {
                Some(before) => before.reconfigured(settings),
                None => http::Api::try_new(settings),
            };
            let api = api.map_err(|cause| Error::Api { api: name.clone(), cause })?;
            next.apis.insert(name, api);
        }
        for (api, settings) in declared.retries {
            let policy = match self.retries.get(&api) {
                Some(before) if *before.settings() == settings => Arc::clone(before),
                Some(before) => Arc::new(before.reconfigured(settings)),
                None => Arc::new(retry::Policy::new(settings)),
            };
            next.retries.insert(api, policy);
        }
        let mut tools = Vec::with_capacity(declared.tools.len());
        for (settings, request) in declared.tools {
            tools.push(self.tool(&mut next, settings, request)?);
        }
        Ok((next, tools))
    }

    fn tool(
        &self,
        next: &mut Self,
        mut settings: registry::tool::Settings,
        request: http::RequestSettings,
    ) -> Result<Renewed, Error> {
        let (name, api_name) = (settings.name.clone(), settings.api.clone());
        let Some(api) = next.apis.get(&api_name) else {
            return Err(Error::NoSuchApi { tool: name, api: api_name });
        };
        let asked_before = self.apis.get(&api_name).map(|before| before.settings());
        let asks_the_same = self.requests.get(&name) == Some(&request)
            && asked_before.is_some_and(|before| before.asks_as(api.settings()));
        settings.retry = next.retries.get(&api_name).cloned();
        let effect = request.effect;
        let endpoint = http::Endpoint::new(Arc::clone(api), request.clone());
        next.requests.insert(name, request);
        Ok(Renewed { tool: Tool::new(settings, effect, Arc::new(endpoint)), asks_the_same })
    }
}

/// What is said of a tool where its calls are traced and measured.
pub(super) fn told(tool: &Tool) -> spans::Tool {
    spans::Tool {
        name: tool.name.as_str().into(),
        description: tool.description.as_str().into(),
        api: tool.api.as_str().into(),
        // Beside the agent, against an API: the convention's word for it.
        kind: "extension",
    }
}
