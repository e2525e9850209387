use super::*;

#[test]
fn files_that_the_demo_did_not_write_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let origin = SocketAddr::from(([127, 0, 0, 1], 9));
    let mine = directory.path().join("sidecall.yaml");
    fs::write(&mine, "tools: {}\n").unwrap();
    write_files(directory.path(), origin).unwrap_err();
    assert_eq!(fs::read_to_string(&mine).unwrap(), "tools: {}\n");

    fs::remove_file(&mine).unwrap();
    let config = write_files(directory.path(), origin).unwrap();
    assert!(fs::read_to_string(&config).unwrap().contains("http://127.0.0.1:9/crm"));
    // Its own may be written again.
    write_files(directory.path(), origin).unwrap();
}
