//! The tools that exist. Knows nothing of who loads it or who runs it.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    backend::worker::{Orders, Pool},
    cache::Writes,
    model::{ApiName, SessionId, ToolName},
    policy::Caller,
};

pub mod offers;
pub mod schema;
pub mod tool;
mod view;

pub(crate) use crate::model::nearest;
pub use offers::{Hello, Member, Offered, Refused, Standing};
pub use schema::Schema;
pub use tool::{Latency, Tool};
pub use view::View;

use offers::Offers;

/// Every tool: those of the configuration, and those that workers offer.
#[derive(Debug)]
pub struct Registry {
    configured: Arc<BTreeMap<ToolName, Arc<Tool>>>,
    /// Of each API.
    writes: BTreeMap<ApiName, Arc<Writes>>,
    offers: Offers,
}

/// A tool of another configuration.
#[derive(Debug)]
pub struct Renewed {
    /// The tool.
    pub tool: Tool,
    /// Whether its requests are those of the tool that had its name.
    pub asks_the_same: bool,
}

impl Registry {
    /// A registry of these tools. Those of one API know of each other's writes.
    pub fn new(tools: impl IntoIterator<Item = Tool>) -> Self {
        Self::with_workers(tools, offers::Settings::default(), Pool::default())
    }

    /// The same, and workers of this pool may offer more.
    pub fn with_workers(
        tools: impl IntoIterator<Item = Tool>,
        settings: offers::Settings,
        pool: Pool,
    ) -> Self {
        let nothing = Self {
            configured: Arc::default(),
            writes: BTreeMap::new(),
            offers: Offers::new(settings.clone(), pool),
        };
        let new = |tool| Renewed { tool, asks_the_same: false };
        nothing.succeeded(tools.into_iter().map(new), settings)
    }

    /// The registry of another configuration. What was learnt of a tool holds for the
    /// one of its name, a write to an API is seen by its new tools, and the workers
    /// are the same.
    #[must_use]
    pub fn succeeded(
        &self,
        tools: impl IntoIterator<Item = Renewed>,
        settings: offers::Settings,
    ) -> Self {
        let mut writes: BTreeMap<ApiName, Arc<Writes>> = BTreeMap::new();
        let tools = tools.into_iter().map(|Renewed { tool, asks_the_same }| {
            let api = tool.api.clone();
            let known = self.writes.get(&api).cloned();
            let tool = tool.sharing(writes.entry(api).or_insert(known.unwrap_or_default()));
            let tool = match self.configured.get(&tool.name) {
                Some(before) => tool.succeeding(before, asks_the_same),
                None => tool,
            };
            (tool.name.clone(), Arc::new(tool))
        });
        let configured = Arc::new(tools.collect());
        Self { configured, writes, offers: self.offers.under(settings) }
    }

    /// The tool of the configuration of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<Tool>> {
        self.configured.get(name)
    }

    /// The tools of the configuration, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Tool>> {
        self.configured.values()
    }

    /// The tools that a session of the caller's may call; those that are shared, where
    /// no session is named. It stays as it is, whatever workers come and go.
    pub fn view(&self, caller: &Arc<Caller>, session: Option<&SessionId>) -> View {
        View::new(Arc::clone(&self.configured), &self.offers, caller, session)
    }

    /// Lets a worker in: its tools can be called from now on, for as long as its
    /// standing holds.
    ///
    /// # Errors
    ///
    /// Which of its tools cannot be offered and why, or that there are too many
    /// workers.
    pub fn join(
        &self,
        hello: Hello,
        standing: Arc<dyn Standing>,
    ) -> Result<(Member, Orders), Refused> {
        self.offers.join(hello, standing, |name| self.configured.contains_key(name))
    }

    /// Who may offer what was changed: sends those workers away whose standing does not
    /// hold any more, and loses their attempts. Gives how many there were.
    pub fn review(&self) -> usize {
        self.offers.review()
    }

    /// What holds for what workers offer.
    pub fn offers(&self) -> &offers::Settings {
        self.offers.settings()
    }

    /// The workers.
    pub fn pool(&self) -> &Pool {
        self.offers.pool()
    }
}
