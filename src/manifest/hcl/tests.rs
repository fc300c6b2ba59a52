use super::*;

fn shown(node: &Node) -> String {
    match node {
        Node::Leaf(ClaimValue::Text(text)) => format!("{text:?}"),
        Node::Leaf(ClaimValue::Computed(text)) => format!("?{text}"),
        Node::Leaf(ClaimValue::Integer(value)) => value.to_string(),
        Node::Leaf(ClaimValue::Decimal(value)) => value.clone(),
        Node::Leaf(ClaimValue::Bool(value)) => value.to_string(),
        Node::Leaf(_) => "null".to_owned(),
        Node::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(",")),
        Node::Map(entries) => {
            let entry = |entry: &Entry| format!("{}={}", entry.key, shown(&entry.value));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(","))
        }
    }
}

#[test]
fn values() {
    for (text, expected) in [
        ("a = \"x\"", "\"x\""),
        ("a = \"\\\"\\\\\\n\\u00e9\\U0001f600 $${x} %%{y} $5\"", "\"\\\"\\\\\\né😀 ${x} %{y} $5\""),
        ("a = \"\\u0024\\u0024{x}\"", "\"$${x}\""),
        ("a = \"${var.x}\"", "?\"${var.x}\""),
        ("a = \"b ${f(\"}\")} c\" # d", "?\"b ${f(\"}\")} c\" # d"),
        ("a = 12 // x", "12"),
        ("a = -1.5", "-1.5"),
        ("a = true", "true"),
        ("a = null", "null"),
        ("a = var.x", "?var.x"),
        ("a = 1 + 2", "?1 + 2"),
        ("a = true ? \"x\" : \"y\"", "?true ? \"x\" : \"y\""),
        ("a = merge({b = 1}, {\n c = 2\n})", "?merge({b = 1}, {\n c = 2\n})"),
        ("a = {\n b = \"c\" # d\n \"e f\" : 1, g = 2\n 3 = [1,\n \"x\", ]\n}", "{b=\"c\",e f=1,g=2,3=[1,\"x\"]}"),
        ("a = {}", "{}"),
        ("a = {for k, v in x : k => v}", "?{for k, v in x : k => v}"),
        ("a = {(var.k) = 1}", "?{(var.k) = 1}"),
        ("a = {b = 1}[\"b\"]", "?{b = 1}[\"b\"]"),
        ("a = <<EOF\n x\n $${y}\nEOF\n", "\" x\\n ${y}\\n\""),
        ("a = <<-EOF\n   x\n  y\n  EOF\n", "\" x\\ny\\n\""),
        ("a = <<EOF\n${x}\nEOF\n", "?<<EOF\n${x}\nEOF"),
        ("a = [for x in y : \"${x}\"]", "?[for x in y : \"${x}\"]"),
    ] {
        let body = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(shown(&body.attributes[0].value), expected, "{text}");
        assert_eq!(body.attributes.len(), 1, "{text}");
    }
}

#[test]
fn blocks_and_lines() {
    let text = "# c\nresource \"t\" n {\n  a = 1\n  /* x\n */ b { c = 2 }\n}\n\nx = {\n y = 1\n}\nz = 3\n";
    let body = parse(text).unwrap();
    let block = &body.blocks[0];
    assert_eq!((block.words.as_slice(), block.line), (["resource", "t", "n"].map(str::to_owned).as_slice(), 2));
    assert_eq!((block.body.attributes[0].line, block.body.blocks[0].line), (3, 5));
    assert_eq!(body.attributes[0].value.entries()[0].line, 9);
    assert_eq!(body.attributes[1].line, 11);
    assert_eq!(body.of("resource", "t").count(), 1);
    assert_eq!(body.of("resource", "n").count(), 0);
}

#[test]
fn what_is_no_hcl_is_an_error() {
    let deep = |open: &str| format!("a = {}", open.repeat(100_000));
    for text in [
        "a",
        "a =",
        "a = \"x",
        "a = {",
        "a = [1",
        "a {",
        "}",
        "a = \"\\q\"",
        "a = \"\\ud800\"",
        "a = <<EOF\nx\n",
        "= 1",
        "a = 1 }",
        "/* x",
        &deep("["),
        &deep("{x="),
        &deep("\"${"),
        &deep("("),
        &"a {\n".repeat(1000),
    ] {
        assert!(parse(text).is_err(), "{:?}", text.get(..20));
    }
}

/// The same as a parser of other people.
#[test]
fn equals_hcl_rs() {
    for text in [
        "a = \"x\\\"\\n$${y}%%{z}\"\nb = {\n \"c d\" = 1\n e = [true, null, \"f\"]\n}\n",
        "a = <<EOF\n x\n y\nEOF\nb = <<-EOT\n    x\n   y\n  EOT\n",
        "resource \"x\" \"y\" {\n a = -3 # z\n b = 1.5\n}\n",
    ] {
        let ours = parse(text).unwrap();
        let theirs: serde_json::Value = hcl::from_str(text).unwrap();
        let attributes = |body: &Body| -> serde_json::Map<String, serde_json::Value> {
            body.attributes.iter().map(|entry| (entry.key.clone(), value(&entry.value))).collect()
        };
        let found = match ours.blocks.as_slice() {
            [] => serde_json::Value::from(attributes(&ours)),
            [block] => serde_json::json!({ "resource": { "x": { "y": attributes(&block.body) } } }),
            _ => panic!("{text}"),
        };
        assert_eq!(found, theirs, "{text}");
    }
}

fn value(node: &Node) -> serde_json::Value {
    match node {
        Node::Leaf(ClaimValue::Text(text) | ClaimValue::Computed(text)) => text.as_str().into(),
        Node::Leaf(ClaimValue::Integer(value)) => (*value).into(),
        Node::Leaf(ClaimValue::Decimal(value)) => value.parse::<f64>().unwrap().into(),
        Node::Leaf(ClaimValue::Bool(value)) => (*value).into(),
        Node::Leaf(_) => serde_json::Value::Null,
        Node::List(items) => items.iter().map(value).collect(),
        Node::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), value(&entry.value))).collect(),
    }
}
