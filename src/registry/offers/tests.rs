//! Workers whose right to be here goes while they are here.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::{
    backend::worker::{Order, Pool},
    model::Json,
    registry::{Registry, Schema, View},
};

/// A right that somebody takes.
#[derive(Debug)]
struct Right(AtomicBool);

impl Right {
    fn held() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }

    fn take(&self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl Standing for Right {
    fn holds(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

fn join(
    registry: &Registry,
    right: &Arc<Right>,
    tools: &[&str],
) -> Result<(Member, Orders), Refused> {
    let offered = |name: &&str| {
        let name = ToolName::try_new(*name).unwrap();
        let schema = Schema::try_new(Json::try_new("{}").unwrap()).unwrap();
        let settings = registry.offers().tool(name, schema);
        Offered { settings, effect: Effect::ReadOnly }
    };
    let hello = Hello {
        caller: Arc::new(Caller::local()),
        session: None,
        name: "w".into(),
        attempts: None,
        tools: tools.iter().map(offered).collect(),
    };
    registry.join(hello, Arc::clone(right) as Arc<dyn Standing>)
}

fn registry() -> Registry {
    Registry::with_workers([], Settings::default(), Pool::default())
}

fn view(registry: &Registry) -> View {
    registry.view(&Arc::new(Caller::local()), None)
}

fn names(registry: &Registry) -> Vec<String> {
    view(registry).iter().map(|tool| tool.name.to_string()).collect()
}

#[tokio::test]
async fn a_right_that_is_taken_takes_the_tools_with_it_and_no_others() {
    let registry = registry();
    let [ours, theirs] = [Right::held(), Right::held()];
    let (fallen, mut orders) = join(&registry, &ours, &["a", "b"]).unwrap();
    let (staying, _) = join(&registry, &theirs, &["b", "c"]).unwrap();
    assert_eq!(registry.review(), 0);
    assert_eq!(names(&registry), ["a", "b", "c"]);

    ours.take();
    assert_eq!(registry.review(), 1);
    assert!(fallen.evicted().is_cancelled() && !staying.evicted().is_cancelled());
    assert_eq!(names(&registry), ["b", "c"]);
    let said = view(&registry).unknown("a").message;
    assert!(said.contains("its caller may not offer its tools any more"), "{said}");
    // Its stream ends, with nothing more on it than it had to begin with.
    let mut told = Vec::new();
    while let Some(order) = futures_util::StreamExt::next(&mut orders).await {
        told.push(order);
    }
    assert!(told.iter().all(|order| matches!(order, Order::Welcome(_))), "{told:?}");

    // It has its place until its stream ends, and then it is forgotten.
    assert_eq!(registry.pool().status(9, clock::now()).connected, 2);
    fallen.leave(Lost::Revoked);
    assert_eq!(registry.pool().status(9, clock::now()).connected, 1);
    assert_eq!(registry.review(), 0);
    assert_eq!(names(&registry), ["b", "c"]);
    drop(staying);
    assert_eq!(names(&registry), [""; 0]);
}

/// Between its hello and its place its right may go.
#[tokio::test]
async fn whoever_has_no_right_any_more_gets_no_place() {
    let registry = registry();
    let right = Right::held();
    right.take();
    assert_eq!(join(&registry, &right, &["a"]).unwrap_err(), Refused::Fallen);
    assert_eq!(registry.pool().status(9, clock::now()).connected, 0);
    assert_eq!(names(&registry), [""; 0]);
}
