use super::*;
use std::io::{BufRead as _, BufReader};
use std::thread::{self, JoinHandle};

const PATIENCE: Duration = Duration::from_secs(5);

/// An agent in a thread that answers each command with the bytes that `answer` gives; ends with the channel.
fn fake(answer: impl Fn(&str, &Value) -> Vec<u8> + Send + 'static) -> (UnixStream, JoinHandle<Vec<Vec<u8>>>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let guest = thread::spawn(move || {
        let mut reader = BufReader::new(theirs.try_clone().unwrap());
        let mut writer = theirs;
        let mut heard = Vec::new();
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            heard.push(line.clone());
            let plain: Vec<u8> = line.iter().copied().filter(|byte| *byte != SENTINEL).collect();
            let request: Value = serde_json::from_slice(&plain).unwrap();
            let answer = answer(request["execute"].as_str().unwrap(), &request["arguments"]);
            if writer.write_all(&answer).is_err() {
                break;
            }
            line.clear();
        }
        heard
    });
    (ours, guest)
}

fn line(value: &Value) -> Vec<u8> {
    format!("{value}\n").into_bytes()
}

/// What every sound agent answers.
fn sound(command: &str, arguments: &Value) -> Vec<u8> {
    match command {
        "guest-sync-delimited" => [&[SENTINEL][..], &line(&json!({ "return": arguments["id"] }))].concat(),
        "guest-info" => line(&json!({ "return": { "version": "7.2.22", "supported_commands": [
            { "name": "guest-ping", "enabled": true, "success-response": true },
            { "name": "guest-exec", "enabled": false, "success-response": true },
        ] } })),
        _ => line(&json!({ "return": {} })),
    }
}

#[test]
fn greets_behind_whatever_stands_in_the_channel() {
    let (ours, guest) = fake(|command, arguments| {
        let rubbish: &[u8] = if command == "guest-sync-delimited" { b"{\"return\": 7}\n{\"error\n" } else { b"" };
        [rubbish, &sound(command, arguments)].concat()
    });
    let agent = Agent::greet(ours, PATIENCE).unwrap();
    assert_eq!(agent.about().version, "7.2.22");
    for (command, allowed) in [("guest-ping", true), ("guest-exec", false), ("guest-nothing", false)] {
        assert_eq!(agent.about().allows(command), allowed, "{command}");
    }
    assert!(agent.transcript().iter().any(|line| line.contains("guest-info")));
    drop(agent);
    let heard = guest.join().unwrap();
    assert_eq!(heard[0][0], SENTINEL, "the guest's parser is reset first");
    assert_eq!(heard.len(), 2);
}

#[test]
fn every_bad_answer_is_a_failure() {
    let table: &[(&str, &[u8], &str)] = &[
        (
            "refusal",
            b"{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"disabled\\u001b[31m\"}}\n",
            "refuses: disabled\u{1b}[31m",
        ),
        ("no JSON", b"<html>\n", "no JSON"),
        ("neither", b"{\"QMP\": {}}\n", "neither return nor error"),
        ("silence", b"", "did not answer within 1 s"),
        ("half a line", b"{\"return\": ", "did not answer within 1 s"),
    ];
    for (what, answer, expected) in table {
        let answer = answer.to_vec();
        let (ours, _guest) = fake(
            move |command, arguments| if command == "guest-ping" { answer.clone() } else { sound(command, arguments) },
        );
        let mut agent = Agent::greet(ours, PATIENCE).unwrap();
        let failure = agent.call("guest-ping", Value::Null, Duration::from_secs(1)).unwrap_err();
        assert!(failure.to_string().contains(expected), "{what}: {failure}");
        // The next command finds the channel again.
        assert_eq!(agent.call("guest-other", Value::Null, PATIENCE), Ok(json!({})), "{what}");
    }
}

#[test]
fn replies_are_bounded_and_the_end_is_the_end() {
    let (ours, _guest) = fake(|command, arguments| match command {
        "guest-ping" => vec![b' '; MAX_REPLY + 4096],
        _ => sound(command, arguments),
    });
    let mut agent = Agent::greet(ours, PATIENCE).unwrap();
    let failure = agent.call("guest-ping", Value::Null, PATIENCE).unwrap_err();
    assert!(failure.to_string().contains("limit"), "{failure}");
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    assert!(matches!(Agent::greet(ours, PATIENCE), Err(Failure::Lost(_))));
}

#[test]
fn programs_are_run_and_waited_for() {
    let polls = std::sync::atomic::AtomicU32::new(0);
    let (ours, _guest) = fake(move |command, arguments| match command {
        "guest-exec" => {
            assert_eq!(arguments["input-data"], encode(b"echo hello"));
            line(&json!({ "return": { "pid": 42 } }))
        }
        "guest-exec-status" if polls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 => {
            line(&json!({ "return": { "exited": false } }))
        }
        "guest-exec-status" => {
            line(&json!({ "return": { "exited": true, "exitcode": 3, "out-data": encode(b"hel\xfflo\n") } }))
        }
        _ => sound(command, arguments),
    });
    let mut agent = Agent::greet(ours, PATIENCE).unwrap();
    let ran = agent.run("echo hello", PATIENCE).unwrap();
    assert_eq!(ran, Ran { code: Some(3), out: "hel\\xfflo\n".to_owned(), err: String::new() });
}

#[test]
fn output_that_was_cut_is_no_output() {
    for (status, expected) in [
        (json!({ "exited": true, "exitcode": 0, "out-data": "aGk=", "out-truncated": true }), "cut"),
        (json!({ "exited": true, "exitcode": 0, "out-data": "a" }), "base64"),
    ] {
        let (ours, _guest) = fake(move |command, arguments| match command {
            "guest-exec" => line(&json!({ "return": { "pid": 1 } })),
            "guest-exec-status" => line(&json!({ "return": status })),
            _ => sound(command, arguments),
        });
        let failure = Agent::greet(ours, PATIENCE).unwrap().run("", PATIENCE).unwrap_err();
        assert!(failure.to_string().contains(expected), "{failure}");
    }
}
