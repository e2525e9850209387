//! `sidecall healthcheck`, as a container's health check runs it.

use sidecall::proto::v1::{
    ExecuteBatchRequest, ToolUse, ToolUses, execute_batch_request,
    sidecall_service_client::SidecallServiceClient,
};
use tokio::{net::TcpListener, process::Command, time::timeout};

use super::{LONG, Place, addresses::own_address};

/// How `sidecall healthcheck` of this server ends, and what it says.
async fn healthcheck(address: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidecall"));
    command.args(["healthcheck", "--address", address]).args(arguments);
    let output = command.env_remove("SIDECALL_ADDRESS").output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), said + &String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn a_health_check_says_by_its_exit_code_who_serves() {
    let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = Place::new(&format!("http://{}", api.local_addr().unwrap()));
    let admin = own_address();
    place.adds(&format!("listen: {{admin: '{admin}'}}\n"));
    let mut program = place.serve(1024).await;
    let addresses = [format!("unix://{}", place.socket().display()), format!("http://{admin}")];
    for address in &addresses {
        for arguments in [&[][..], &["--service", "liveness"], &["--timeout", "30"]] {
            let (code, said) = healthcheck(address, arguments).await;
            assert_eq!((code, said.as_str()), (Some(0), "serving\n"), "{address} {arguments:?}");
        }
        let (code, said) = healthcheck(address, &["--service", "other"]).await;
        assert!(code == Some(3) && said.contains("no service `other`"), "{code:?} {said}");
    }
    assert_eq!(healthcheck("nowhere", &[]).await.0, Some(2));

    // Stopped where it is, it takes the connection and says nothing.
    program.signal("STOP");
    let (code, said) = healthcheck(&addresses[0], &["--timeout", "0.2"]).await;
    assert!(code == Some(3) && said.contains("not answered within 0.2 s"), "{code:?} {said}");
    program.signal("CONT");

    // While it drains it lives and takes no turns.
    let tool_use = ToolUse { name: "read".to_owned(), ..ToolUse::default() };
    let turn = execute_batch_request::Turn::Typed(ToolUses { tool_uses: vec![tool_use] });
    let request = ExecuteBatchRequest { turn: Some(turn), ..ExecuteBatchRequest::default() };
    let mut client = SidecallServiceClient::new(program.channel().await);
    let _events = client.execute_batch(request).await.unwrap();
    let (_held, _) = timeout(LONG, api.accept()).await.unwrap().unwrap();
    program.signal("TERM");
    program.says("Draining").await;
    for address in &addresses {
        // Health says so a moment after the log.
        let said = async {
            loop {
                let (code, said) = healthcheck(address, &["--timeout", "30"]).await;
                if code != Some(0) {
                    break (code, said);
                }
            }
        };
        let (code, said) = timeout(LONG, said).await.expect("it still says that it serves");
        assert!(code == Some(3) && said.contains("it says NOT_SERVING"), "{code:?} {said}");
        assert_eq!(healthcheck(address, &["--service", "liveness"]).await.0, Some(0));
    }
    program.signal("TERM");
    assert_eq!(program.ends().await.code(), Some(0));
    for address in &addresses {
        let (code, said) = healthcheck(address, &[]).await;
        assert!(code == Some(3) && said.contains("no server answers"), "{code:?} {said}");
    }
}
