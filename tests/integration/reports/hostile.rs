//! Strings that an image may hold, through every writer and back through a real parser: whatever stands in them, the
//! report has the same shape as with a harmless word.

use super::super::checks::{report, saved};
use bootworthy::error::Error;
use bootworthy::report::{FORMATS, Style, Verbosity, find};
use bootworthy::verdict::property::Withheld;
use bootworthy::verdict::{Evidence, Report, Word};
use pulldown_cmark::{Event, Options, Parser, Tag};
use serde_json::Value;

pub const HOSTILE: &[&str] = &[
    "::error title=x::owned",
    "x\n::error::owned",
    "x\r\n::set-output name=a::b",
    "x%0A::stop-commands::token",
    "%3A%3Aerror%25",
    "##[error]owned",
    "x ##vso[task.setvariable variable=a]b",
    "##teamcity[buildStatus status='SUCCESS']",
    "]]><failure/><![CDATA[",
    "</testcase></testsuite><testsuite name=\"x\">",
    "<!-- --> <!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>&a;",
    "&lt;script&gt;&#x3c;&#0;",
    "\" onload=\"alert(1)\" x='",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "| a | b |\n|---|---|\n| c | d |",
    "|---|---|",
    "`code` ``two`` ```three",
    "```\nfence\n```",
    "` ",
    " `",
    "",
    "   ",
    "\\",
    "\\`",
    "[link](https://example.org) ![image](https://example.org/x.png)",
    "[click me](javascript:alert(1)) {0} {{0}} }} {",
    "https://example.org/ www.example.org user@example.org",
    "@everyone @octocat #1 octo/repo#2 :tada: $x^2$",
    "# heading\n\n---\n\n* * *\n- [x] task\n1. one\n> quote",
    "[^1]: note\n\n[a]: https://example.org",
    "~~gone~~ **bold** __bold__ <u>x</u> ==mark==",
    "\u{1b}[31mred\u{1b}]8;;https://example.org\u{7}link\u{1b}]8;;\u{7}",
    "\u{9b}2J\u{0}\u{7}\u{8}\u{7f}",
    "abc\u{202e}fed\u{2066}x\u{2069}\u{200b}\u{feff}",
    "line\u{2028}sep\u{2029}\u{85}\u{b}\u{c}",
    "\u{fffe}\u{ffff}\u{fdd0}\u{10ffff}\u{e000}",
    "\t\ttabs\t",
    "{\"json\": \"\\u0000\"}\n{\"second\": 1}",
    "a: b # yaml\n- !!python/object:os.system",
    "$(reboot) `reboot` ${HOME} ; rm -rf / ' \"",
    "caf\u{e9} \u{65e5}\u{672c}\u{8a9e} \u{1f600} e\u{301}",
    "\\x1b\\xff\\u0000 %s %n {}",
];

const HARMLESS: &str = "harmless";

/// Two reports that hold `text` wherever text of an image or a name of the user may stand.
pub fn reports(text: &str) -> Vec<Report> {
    let mut report = report(&saved("healthy"));
    text.clone_into(&mut report.path);
    let place = || Evidence {
        path: Some(text.to_owned()),
        line: Some(7),
        found: text.to_owned(),
        expected: Some(text.to_owned()),
        entry: Some(text.to_owned()),
        text: Some(text.to_owned()),
        mark: Some(text.to_owned()),
        package: None,
        fix: None,
    };
    let words = [Word::Fail, Word::Unknown, Word::Pass, Word::NotApplicable, Word::Fail];
    for (finding, word) in report.checks.iter_mut().zip(words) {
        finding.verdict = word;
        finding.evidence =
            vec![place(), Evidence { path: None, ..place() }, Evidence { path: None, line: None, ..place() }];
        finding.notes = vec![place()];
        finding.reason = Some(text.to_owned());
        // A fix of several lines is one line each; here it is to be one.
        finding.fix = Some(format!("mend {}", text.replace('\n', " ")));
    }
    // A finding of the file itself, as lint makes them.
    report.checks[4].evidence = vec![Evidence { path: None, ..place() }];
    report.checks[4].id = "some-lint-rule";
    report.withheld.push(Withheld {
        key: "os_distro",
        value: Some(text.to_owned()),
        check: None,
        reason: text.to_owned(),
    });
    text.clone_into(&mut report.earned[0].value);
    let error = Error::corrupt(text, text)
        .at(text)
        .help(format!("mend {}", text.replace('\n', " ")))
        .why(text.replace('\n', " "));
    let unreadable = Report::unreadable(text, error, super::super::checks::profile("openstack"));
    vec![report, unreadable]
}

fn written(format: &str, text: &str) -> String {
    let style = Style { verbosity: Verbosity::Verbose, ..Style::default() };
    (find(format).unwrap().write)(&reports(text), style)
}

/// The shape of a JSON value: its keys and the number of its items, without what they hold.
fn json_shape(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(json_shape).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), json_shape(value))).collect(),
        Value::String(_) => Value::Null,
        other => other.clone(),
    }
}

fn shape(format: &str, text: &str) -> String {
    match format {
        "json" | "sarif" | "gitlab" => json_shape(&serde_json::from_str(text).unwrap()).to_string(),
        "ndjson" => {
            let lines = text.lines().map(|line| json_shape(&serde_json::from_str(line).unwrap()).to_string() + "\n");
            lines.collect()
        }
        "junit" => {
            let document = roxmltree::Document::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"));
            let node = |node: roxmltree::Node<'_, '_>| {
                let attributes: Vec<&str> = node.attributes().map(|attribute| attribute.name()).collect();
                format!("{} {:?} {attributes:?}\n", node.ancestors().count(), node.tag_name().name())
            };
            document.descendants().filter(roxmltree::Node::is_element).map(node).collect()
        }
        "github" => text.lines().map(|line| command(line).0 + "\n").collect(),
        _ => {
            let options = Options::all();
            let event = |event: Event<'_>| match event {
                // One text more or less is no structure.
                Event::Text(_) | Event::SoftBreak => String::new(),
                Event::Code(_) => "code\n".to_owned(),
                Event::Html(html) | Event::InlineHtml(html) => panic!("HTML from an image: {html:?}"),
                Event::Start(tag @ (Tag::Link { .. } | Tag::Image { .. })) => panic!("a link from an image: {tag:?}"),
                other => format!("{other:?}\n"),
            };
            Parser::new_ext(text, options).map(event).collect()
        }
    }
}

/// A line as GitHub's runner reads it (actions/runner, `ActionCommand.TryParseV2`): command with its properties' names,
/// values, message.
fn command(line: &str) -> (String, Vec<String>, String) {
    let rest = line.strip_prefix("::").unwrap_or_else(|| panic!("no command: {line}"));
    let (head, message) = rest.split_once("::").unwrap();
    let (name, properties) = head.split_once(' ').unwrap();
    let pairs: Vec<(&str, &str)> = properties.split(',').map(|pair| pair.split_once('=').unwrap()).collect();
    let names: Vec<&str> = pairs.iter().map(|(name, _)| *name).collect();
    let decode = |text: &str| {
        let text = text.replace("%0D", "\r").replace("%0A", "\n").replace("%3A", ":").replace("%2C", ",");
        text.replace("%25", "%")
    };
    let values = pairs.iter().map(|(_, value)| decode(value)).collect();
    (format!("{name} {names:?}"), values, decode(message))
}

#[test]
fn the_shape_is_the_same_whatever_an_image_holds() {
    for format in FORMATS.iter().map(|format| format.name).filter(|name| *name != "text") {
        let harmless = shape(format, &written(format, HARMLESS));
        assert!(harmless.lines().count() > 1 || harmless.len() > 100, "{format}: {harmless}");
        for text in HOSTILE {
            let hostile = written(format, text);
            assert_eq!(shape(format, &hostile), harmless, "{format}: {text:?}\n{hostile}");
        }
    }
}

#[test]
fn no_control_character_and_no_command_in_any_log() {
    for format in FORMATS {
        for text in HOSTILE {
            let written = written(format.name, text);
            let control = written.chars().find(|c| c.is_control() && *c != '\n');
            assert_eq!(control, None, "{}: {text:?}", format.name);
            for line in written.lines() {
                let is_command = line.trim_start().starts_with("::");
                assert!(!is_command || format.name == "github", "{}: {line}", format.name);
                let legacy = ["##[", "##vso[", "##teamcity["].iter().find(|prefix| line.contains(**prefix));
                assert_eq!(legacy, None, "{}: {line}", format.name);
            }
        }
    }
}

#[test]
fn what_an_image_says_is_told_all_the_same() {
    let escaped = bootworthy::report::escape;
    for text in HOSTILE {
        let sarif: Value = serde_json::from_str(&written("sarif", text)).unwrap();
        let message = sarif["runs"][0]["results"][0]["locations"][2]["message"]["text"].as_str().unwrap().to_owned();
        // Read as SARIF says: `\[` is a bracket, `{{` a brace.
        let mut read = String::new();
        let mut characters = message.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\\' => read.extend(characters.next()),
                '{' | '}' => {
                    assert_eq!(characters.next(), Some(character), "{message}");
                    read.push(character);
                }
                '[' | ']' => panic!("a link: {message}"),
                _ => read.push(character),
            }
        }
        assert_eq!(read, escaped(&format!("{text}, expected {text}")));

        let junit = written("junit", text);
        let document = roxmltree::Document::parse(&junit).unwrap();
        let suite = document.descendants().find(|node| node.has_tag_name("testsuite")).unwrap();
        let expected = escaped(text).replace('\u{fffe}', "\\u{fffe}").replace('\u{ffff}', "\\u{ffff}");
        assert_eq!(suite.attribute("name"), Some(expected.as_str()));

        let github = written("github", text);
        let (_, values, message) = command(github.lines().next().unwrap());
        assert!(values.last().unwrap().starts_with(&escaped(text)), "{values:?}");
        assert!(message.contains(&escaped(text)), "{message:?}");

        let markdown = written("markdown", text);
        let spans = Parser::new(&markdown).filter_map(|event| match event {
            Event::Code(code) => Some(code.to_string()),
            _ => None,
        });
        let spans: Vec<String> = spans.collect();
        // A span of nothing is two blanks.
        let expected = if text.is_empty() { "  ".to_owned() } else { escaped(text) };
        assert!(spans.contains(&expected), "{expected:?} is not in {spans:?}");
    }
}

#[test]
fn nothing_of_an_image_is_outside_a_code_span() {
    let markdown = written("markdown", "@octocat");
    for event in Parser::new(&markdown) {
        if let Event::Text(text) = event {
            assert!(!text.contains('@'), "{text}");
        }
    }
}
