//! What is changed under a pod that works on: its image, its configuration.

use std::{os::unix::fs::symlink, path::Path};

use tokio::{process::Command, time::timeout};

use crate::{
    often,
    place::{IMAGE, Place},
    pod::Pod,
    support::PATIENCE,
};

/// Requests that show that all goes on as before.
const ONWARDS: usize = 20;

/// Changes the sidecar's image to this one, while the app works on.
pub(crate) async fn change_image(pod: &Pod, place: &Place, image: &Path, times: usize) {
    pod.replace("sidecar", place.image(&[], image)).await;
    let told = pod.says("sidecar started", times + 1).await;
    let ended = &told.lines[told.last("sidecar ended")];
    assert_eq!(ended, "sidecar ended: exit status: 0", "{:#?}", told.lines);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_image_of_the_sidecar_costs_no_call() {
    often("image change", async |rng, place| {
        let new = place.path().join("sidecall-next");
        symlink(IMAGE, &new).unwrap();
        let pod = place.pod(place.usual(&["--conversations", "4"]));
        place.asked(rng.usize(1..40)).await;
        change_image(&pod, place, &new, 1).await;
        place.asked(rng.usize(1..40)).await;
        change_image(&pod, place, Path::new(IMAGE), 2).await;
        place.asked(ONWARDS).await;
        pod.delete().await;
        let tally = place.judge(0).await;
        assert_eq!((tally.synthetic, tally.raised), (0, 0), "{tally:?}");
        tally
    })
    .await;
}

const MORE: &str = r#"
  look_again:
    description: Reads a row once more.
    input: {type: object, properties: {name: {type: string}}, required: [name]}
    http: {api: bank, get: "/row/{name}"}
"#;

/// Whether the sidecar has the tool of [`MORE`].
async fn has_more(place: &Place) -> bool {
    let mut command = Command::new(IMAGE);
    let output = command.args(["tools", "--address", &place.address()]).output().await.unwrap();
    String::from_utf8_lossy(&output.stdout).contains("look_again")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_configuration_costs_no_call() {
    often("config rollout", async |rng, place| {
        let pod = place.pod(place.usual(&["--conversations", "4"]));
        place.asked(rng.usize(1..40)).await;
        assert!(!has_more(place).await);
        place.configure(MORE);
        let is_taken = async { while !has_more(place).await {} };
        timeout(PATIENCE, is_taken).await.expect("the configuration is never read again");
        place.asked(ONWARDS).await;
        let told = pod.delete().await;
        assert_eq!(told.count("sidecar started"), 1, "{:#?}", told.lines);
        let tally = place.judge(0).await;
        assert_eq!((tally.synthetic, tally.raised, tally.resent), (0, 0, 0), "{tally:?}");
        tally
    })
    .await;
}
