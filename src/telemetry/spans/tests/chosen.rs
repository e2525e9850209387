//! What others chose, as it is told.

use super::*;

#[test]
fn a_known_secret_is_in_no_name_and_no_id_that_others_chose() {
    let (tracer, mut items, _) = Tracer::new(1.0, 100, &NOTHING());
    let ids = (
        BatchId::try_new("b-canary-known").unwrap(),
        Some(SessionId::try_new("s-canary-known").unwrap()),
    );
    let context = Context::of(&caller(PARENT));
    let mut batch = tracer.batch(&context, ids, 2, clock::now()).1.unwrap();
    let unknown = CallResult {
        call_id: CallId::try_new("toolu_canary-known").unwrap(),
        ..result(0, "get_canary-known", Some(FailureCode::UnknownTool))
    };
    batch.ends(&unknown, clock::now());
    batch.attempts(1, 1, clock::now()).goes_to(&Arc::new(Target::Worker(outgoing::Worker {
        tool: "run_canary-known".into(),
        worker: "w-canary-known".into(),
    })));
    let own = Tool {
        name: "run_canary-known".into(),
        description: format!("canary-known, or {}", "é".repeat(1000)).into(),
        api: "workers".into(),
        kind: "function",
    };
    batch.is_offered(1, &Arc::new(own));
    batch.ends(&result(1, "run_canary-known", None), clock::now());
    batch.end(&[], Vec::new(), 1, clock::now());
    let spans = spans(&mut items);
    assert!(!format!("{spans:?}").contains("canary"), "{spans:#?}");
    assert_eq!(attributes(&spans[0])["sidecall.batch.id"], "b-[redacted]");
    assert_eq!(attributes(&spans[0])["gen_ai.conversation.id"], "s-[redacted]");
    let call = attributes(named(&spans, "execute_tool"));
    assert_eq!(call["gen_ai.tool.name"], "get_[redacted]");
    assert_eq!(call["gen_ai.tool.call.id"], "toolu_[redacted]");
    let offered = attributes(named(&spans, "execute_tool run_[redacted]"));
    let description = &offered["gen_ai.tool.description"];
    assert!(description.starts_with("[redacted], or éé"), "{description}");
    assert!((1020..=1024).contains(&description.len()), "{}", description.len());
    assert_eq!(
        attributes(named(&spans, "run run_[redacted]"))["sidecall.worker.name"],
        "w-[redacted]"
    );
}

#[tokio::test(start_paused = true)]
async fn a_worker_s_tool_is_named_also_where_no_attempt_was_made() {
    let (tracer, mut items, _) = Tracer::new(1.0, 100, &NOTHING());
    let mut batch = begin(&tracer, 2);
    let own = Arc::new(Tool {
        name: "own".into(),
        description: "Runs in the agent.".into(),
        api: "workers".into(),
        kind: "function",
    });
    let outgoing = batch.attempts(0, 1, clock::now());
    let worker = outgoing::Worker { worker: "w".into(), tool: "own".into() };
    outgoing.goes_to(&Arc::new(Target::Worker(worker)));
    let ends = [(0, None), (1, Some(FailureCode::Cancelled))];
    for (call, failure) in ends {
        batch.is_offered(call, &own);
        batch.ends(&result(call, "own", failure), clock::now());
    }
    batch.end(&[], Vec::new(), 1, clock::now());
    let spans = spans(&mut items);
    let calls: Vec<_> = spans.iter().filter(|span| span.name == "execute_tool own").collect();
    assert_eq!(calls.len(), 2);
    for call in calls {
        let told = attributes(call);
        assert_eq!(told[attribute::TOOL_TYPE], "function");
        assert_eq!(told[attribute::TOOL_DESCRIPTION], "Runs in the agent.");
        assert_eq!(told[attribute::API], "workers");
    }
    assert_eq!(attributes(named(&spans, "run own"))[attribute::WORKER], "w");
}
