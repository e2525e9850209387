//! The tools as one session sees them.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Tool,
    nearest::nearest,
    offers::{Group, Offers},
};
use crate::{
    model::{Failure, FailureCode, SessionId, ToolName},
    policy::Caller,
};

/// The tools that one session may call, at one moment. Of one that its caller may
/// not call, nothing tells that it is there.
#[derive(Debug)]
pub struct View {
    configured: Arc<BTreeMap<ToolName, Arc<Tool>>>,
    shared: Option<Arc<Group>>,
    own: Option<Arc<Group>>,
    offers: Offers,
    caller: Arc<Caller>,
    session: Option<SessionId>,
}

impl View {
    pub(super) fn new(
        configured: Arc<BTreeMap<ToolName, Arc<Tool>>>,
        offers: &Offers,
        caller: &Arc<Caller>,
        session: Option<&SessionId>,
    ) -> Self {
        let (shared, own) = offers.seen_by(&caller.tenant, session);
        let (caller, session) = (Arc::clone(caller), session.cloned());
        Self { configured, shared, own, offers: offers.clone(), caller, session }
    }

    /// The tool of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<Tool>> {
        if !self.caller.knows(name) {
            return None;
        }
        self.configured.get(name).or_else(|| {
            let group = [&self.own, &self.shared].into_iter().flatten();
            group.filter_map(|group| group.tools.get(name)).map(|offer| &offer.tool).next()
        })
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Tool>> {
        let mut all = BTreeMap::new();
        for group in [&self.shared, &self.own].into_iter().flatten() {
            all.extend(group.tools.iter().map(|(name, offer)| (name, &offer.tool)));
        }
        all.extend(&*self.configured);
        all.into_values().filter(|tool| self.caller.knows(&tool.name))
    }

    /// The failure of a call of a tool that does not exist: that its worker is gone,
    /// or else it names those that are spelt alike, or all where they are few.
    pub fn unknown(&self, name: &str) -> Failure {
        /// So many names are listed for a model to choose from.
        const FEW: usize = 10;
        let (tenant, session) = (&self.caller.tenant, self.session.as_ref());
        let gone = || self.offers.gone(tenant, session, name);
        if let Some(gone) = self.caller.knows(name).then(gone).flatten() {
            return gone;
        }
        let shown: String = name.chars().take(64).collect();
        let names: Vec<&str> = self.iter().map(|tool| tool.name.as_str()).collect();
        let alike = nearest(name, names.iter().copied());
        let offer = match (alike.is_empty(), names.len()) {
            (false, _) => format!("did you mean {}?", alike.join(" or ")),
            (true, 0) => "there are no tools".to_owned(),
            (true, 1..=FEW) => format!("there are {}", names.join(", ")),
            (true, _) => "use one of the tools that were offered".to_owned(),
        };
        Failure::new(FailureCode::UnknownTool, format!("there is no tool {shown:?}; {offer}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backend::{Attempt, Backend, Pending},
        model::{ApiName, Effect, Json},
        policy::{Pattern, Tools},
        registry::{Registry, Schema, tool},
    };

    #[derive(Debug)]
    struct Silent;

    impl Backend for Silent {
        fn attempt(&self, _: Attempt) -> Pending {
            Box::pin(std::future::pending())
        }
    }

    fn registry(names: &[&str]) -> Registry {
        Registry::new(names.iter().map(|&name| {
            let settings = tool::Settings::new(
                ToolName::try_new(name).unwrap(),
                Schema::try_new(Json::try_new("{}").unwrap()).unwrap(),
                ApiName::try_new("crm").unwrap(),
            );
            Tool::new(settings, Effect::ReadOnly, Arc::new(Silent))
        }))
    }

    #[test]
    fn nothing_tells_that_a_tool_is_there_that_the_caller_may_not_call() {
        let patterns = ["crm_*", "refund"].map(|text| Pattern::try_new(text).unwrap());
        let tools = Tools::Matching(patterns.to_vec());
        let caller = Arc::new(Caller { tools, ..Caller::local() });
        let with = registry(&["crm_read", "crm_write", "pay", "pay_all", "get_user"]);
        let without = registry(&["crm_read", "crm_write"]);
        let [with, without] = [with, without].map(|registry| registry.view(&caller, None));
        let names = |view: &View| view.iter().map(|tool| tool.name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&with), ["crm_read", "crm_write"]);
        assert!(with.get("crm_read").is_some());
        for name in ["pay", "pay_al", "get_user", "getUser", "refund", "crm_rea"] {
            assert!(with.get(name).is_none());
            assert_eq!(with.unknown(name), without.unknown(name));
        }
    }

    #[test]
    fn a_tool_that_does_not_exist_is_told_with_those_that_are_spelt_alike() {
        let many: Vec<String> = (0..11).map(|n| format!("tool_{n:03}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for (names, wanted, says) in [
            (&[][..], "x", r#"there is no tool "x"; there are no tools"#),
            (&["get_user", "list_orders"], "getUsr", r#""getUsr"; did you mean get_user?"#),
            (&["get_user", "list_orders"], "pay", "there are get_user, list_orders"),
            (&many, "pay", "use one of the tools that were offered"),
            (&["pay"], &"é".repeat(1000), &format!("tool \"{}\"; there are pay", "é".repeat(64))),
        ] {
            let view = registry(names).view(&Arc::new(Caller::local()), None);
            assert!(view.get(wanted).is_none());
            let failure = view.unknown(wanted);
            assert_eq!(failure.code, FailureCode::UnknownTool);
            assert!(failure.message.contains(says), "{}", failure.message);
        }
    }
}
