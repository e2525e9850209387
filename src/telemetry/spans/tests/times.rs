//! When what was recorded began and ended, as it is told.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_rpc_and_all_that_is_in_it_are_told_by_one_clock() {
    let (tracer, mut items, _) = Tracer::new(1.0, 100, &NOTHING());
    let (context, rpc) = tracer.rpc(&caller(PARENT), "a.B/C");
    advance(MS(7)).await;
    let came = clock::now();
    // Planning takes so long.
    advance(MS(20)).await;
    let ids = (BatchId::try_new("b-1").unwrap(), None);
    let batch = tracer.batch(&context, ids, 0, came).1.unwrap();
    batch.end(&[], Vec::new(), 0, clock::now());
    advance(MS(3)).await;
    drop(rpc);

    let spans = spans(&mut items);
    let (rpc, batch) = (named(&spans, "a.B/C"), named(&spans, "batch"));
    assert_eq!((length(rpc), length(batch)), (MS(30), MS(20)));
    assert_eq!(batch.start_time.duration_since(rpc.start_time).unwrap(), MS(7));
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_no_rpc_begins_when_it_came() {
    let (tracer, mut items, _) = Tracer::new(1.0, 100, &NOTHING());
    let come = |came| {
        let ids = (BatchId::try_new("b-1").unwrap(), None);
        tracer.batch(&Context::of(&caller(PARENT)), ids, 0, came).1.unwrap()
    };
    let came = clock::now();
    advance(Duration::from_secs(3600)).await;
    for came in [came, clock::now()] {
        come(came).end(&[], Vec::new(), 0, clock::now());
    }
    let spans = spans(&mut items);
    let between = spans[1].start_time.duration_since(spans[0].start_time).unwrap();
    assert!(between > Duration::from_secs(3590), "{between:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_run_begins_with_its_last_parent_s_end_or_with_the_batch() {
    let (tracer, mut items, _) = Tracer::new(1.0, 100, &NOTHING());
    let mut batch = begin(&tracer, 4);
    let failed = |call| result(call, "get", Some(FailureCode::DependencyFailed));
    advance(MS(5)).await;
    batch.ends(&failed(0), clock::now());
    advance(MS(5)).await;
    batch.ends(&failed(1), clock::now());
    batch.ends(&failed(2), clock::now());
    advance(MS(5)).await;
    batch.ends(&failed(3), clock::now());
    let edge = |from, to| Edge { from, to, kind: "reference", reason: "".into() };
    let edges = vec![edge(0, 2), edge(1, 2), edge(0, 3), edge(1, 3)];
    batch.end(&[], edges, 2, clock::now());

    let spans = spans(&mut items);
    let batch = &spans[0];
    let begins = |span: &SpanData| span.start_time.duration_since(batch.start_time).unwrap();
    let told: Vec<_> = spans[1..].iter().map(|span| (begins(span), length(span))).collect();
    assert_eq!(told, [(MS(0), MS(5)), (MS(0), MS(10)), (MS(10), MS(0)), (MS(10), MS(5))]);
    for call in &spans[1..] {
        assert!(call.start_time < call.end_time && call.end_time <= batch.end_time);
    }
}
