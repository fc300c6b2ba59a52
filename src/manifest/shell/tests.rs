use super::*;

fn shown(text: &str) -> Vec<Vec<String>> {
    let word = |word: &Word| format!("{}{}", if word.is_computed { "?" } else { "" }, word.text);
    split(text).unwrap().iter().map(|words| words.iter().map(word).collect()).collect()
}

#[test]
fn words_are_those_of_a_shell() {
    for (text, words) in [
        ("a b\tc", vec!["a", "b", "c"]),
        ("a 'b c' \"d e\" f\\ g", vec!["a", "b c", "d e", "f g"]),
        ("a \\\n  b # c\n", vec!["a", "b"]),
        ("'it'\\''s' '' \"\\$x \\n\"", vec!["it's", "", "$x \\n"]),
        ("a#b $x \"${y}\" $(z (1) \"\") `id` 5$", vec!["a#b", "?$x", "?${y}", "?$(z (1) \"\")", "?`id`", "5$"]),
        ("$'a\\012\\x41\\u00e9\\'\\\\b'", vec!["a\nAé'\\b"]),
    ] {
        assert_eq!(shown(text), [words], "{text}");
    }
    assert_eq!(shown("a; b && c | d\ne"), [["a"], ["b"], ["c"], ["d"], ["e"]]);
    for text in ["'a", "\"a", "$'a", "\"a\\"] {
        assert!(split(text).is_err(), "{text}");
    }
}

#[test]
fn lines_that_people_write() {
    let text = "#!/bin/sh\nset -e\nOS_CLOUD=x openstack --os-cloud y image create --public --disk-format qcow2 \\\n  --file a.qcow2 \
                --property hw_disk_bus=scsi --property=hw_scsi_model=virtio-scsi \\\n --min-disk 5 --property os_version=\"$V\" \
                'Debian 13' > log\nopenstack image set --os-distro debian --property a='b=c' \"$ID\"\n\
                openstack volume set --image-property x=y vol\nglance image-create --name n --property k=v\nopenstack image list\n";
    assert!((READER.fits)("x.sh", text));
    let document = read(text).unwrap();
    let found: Vec<Vec<(&str, Option<String>)>> = document
        .images
        .iter()
        .map(|image| image.properties.iter().map(|claim| (claim.key.as_str(), claim.sent(Typing::Strict))).collect())
        .collect();
    let own = |text: &str| Some(text.to_owned());
    assert_eq!(
        found,
        [
            vec![("hw_disk_bus", own("scsi")), ("hw_scsi_model", own("virtio-scsi")), ("os_version", None)],
            vec![("os_distro", own("debian")), ("a", own("b=c"))],
            vec![("x", own("y"))],
            vec![("k", own("v"))],
        ]
    );
    let first = &document.images[0];
    let value = |claim: &Option<Claim>| claim.as_ref().map(|claim| claim.value.clone());
    assert_eq!(value(&first.name), Some(ClaimValue::Text("Debian 13".into())));
    assert_eq!((value(&first.min_disk), first.properties[2].line), (Some(ClaimValue::Integer(5)), Some(5)));
    assert_eq!(value(&document.images[1].name), Some(ClaimValue::Computed("$ID".into())));
    assert!(read("openstack image list\n").is_err() && !(READER.fits)("x", "{\"a\": \"openstack image\"}"));
}
