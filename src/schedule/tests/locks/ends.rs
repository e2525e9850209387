//! Whatever ends a call, or its wait, leaves no lock behind.

use std::sync::OnceLock;

use super::*;
use crate::locks::Table;

#[tokio::test(start_paused = true)]
async fn a_call_that_ends_however_it_ends_lets_go_of_its_locks() {
    let scripts = [
        ("do_answers", Script::Echoes(10), Outcome::Succeeded),
        ("do_fails", Script::Fails(10), Outcome::Failed),
        ("do_hangs", Script::HangsSent, Outcome::Failed),
        ("do_panics", Script::Panics, Outcome::Failed),
        ("do_panics_later", Script::PanicsLater, Outcome::Failed),
        ("do_panics_when_dropped", Script::PanicsWhenDropped, Outcome::Failed),
    ];
    let tools: Vec<_> = scripts.iter().map(|(name, script, _)| (*name, script.clone())).collect();
    let world = keyed(&tools);
    for (name, _, outcome) in scripts {
        let mut running = world.submit(one(name, "{}"));
        loop {
            match running.events.recv().await.unwrap() {
                Event::Started { .. } => assert_eq!(world.locks().held, 1, "{name}"),
                Event::Finished(result) => {
                    assert_eq!(result.outcome, outcome, "{name}");
                    if name == "do_hangs" {
                        let code = result.failure.as_ref().unwrap().code;
                        assert_eq!(code, FailureCode::OutcomeUnknown);
                    }
                    break;
                }
                _ => {}
            }
        }
        // Whoever has seen the end finds them free.
        assert_eq!(world.locks(), Status::default(), "{name}");
        results(running).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cancelled_while_it_waits_gives_up_its_place() {
    let world = keyed(&[("write", Script::Echoes(100)), ("read", Script::Echoes(100))]);
    let held = world.hold(&[lock("order/", Read)]);
    let mut turn = submission(vec![call("write", "{}")]);
    turn.batch_id = Some(BatchId::try_new("b").unwrap());
    let waiting = world.submit(turn);
    let behind = world.submit(one("read", "{}"));
    tokio::time::advance(MS(50)).await;
    assert_eq!((world.locks().held, world.locks().waiting), (1, 2));
    let id = BatchId::try_new("b").unwrap();
    world.scheduler.cancel(&Owner::local(), &id, Vec::new()).await.unwrap();
    let waiting = results(waiting).await;
    assert_eq!(waiting[0].outcome, Outcome::Cancelled);
    assert_eq!(waiting[0].timings.locked, MS(50));
    // The reader behind it shares with the one that holds.
    assert_eq!(results(behind).await[0].outcome, Outcome::Succeeded);
    drop(held);
    assert_eq!(world.locks(), Status::default());
}

/// Notes how many calls hold locks while an attempt of it goes.
#[derive(Debug, Default)]
struct Notes {
    table: Arc<OnceLock<Table>>,
    held: Arc<Mutex<Vec<usize>>>,
}

struct Going(Arc<OnceLock<Table>>, Arc<Mutex<Vec<usize>>>);

impl Drop for Going {
    fn drop(&mut self) {
        self.1.lock().unwrap().push(self.0.get().unwrap().held());
    }
}

impl Backend for Notes {
    fn attempt(&self, _: Attempt) -> backend::Pending {
        let going = Going(Arc::clone(&self.table), Arc::clone(&self.held));
        Box::pin(async move {
            let _going = going;
            std::future::pending().await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_cut_off_is_gone_before_its_locks_are() {
    let notes = Notes::default();
    let (table, held) = (Arc::clone(&notes.table), Arc::clone(&notes.held));
    let mut settings_of = tool_settings("write");
    settings_of.claims = Claims::new(Vec::new(), vec![Pattern::try_new("order").unwrap()]);
    let other = Scripted { name: "get", script: Script::Hangs, seen: Arc::default() };
    let tools = [
        Tool::new(settings_of, Effect::ReadOnly, Arc::new(notes)),
        Tool::new(tool_settings("get"), Effect::ReadOnly, Arc::new(other)),
    ];
    let scheduler = Scheduler::new(Arc::new(Registry::new(tools)), settings(), Drain::new());
    table.set(scheduler.shared.locks.clone()).unwrap();
    let mut turn = turn(&["write", "get"]);
    turn.calls[0].timeout = Some(MS(100));
    let mut running = scheduler.submit(turn).unwrap();
    while !matches!(running.events.recv().await.unwrap(), Event::Finished(_)) {}
    drop(running);
    while held.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(*held.lock().unwrap(), [1]);
    assert_eq!(scheduler.shared.locks.held(), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_where_callers_go_and_where_the_process_ends() {
    let world = keyed(&[("write", Script::Hangs)]);
    let holds = world.submit(one("write", "{}"));
    let waits = world.submit(one("write", "{}"));
    tokio::time::advance(MS(10)).await;
    assert_eq!((world.locks().held, world.locks().waiting), (1, 1));
    drop(holds);
    tokio::time::advance(MS(10)).await;
    while world.locks().waiting > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.locks().held, 1, "the next has it");
    let last = world.submit(one("write", "{}"));
    world.drain.kill();
    for running in [waits, last] {
        assert_eq!(results(running).await[0].outcome, Outcome::Cancelled);
    }
    world.drain.finished().await;
    assert_eq!(world.locks(), Status::default());
}
