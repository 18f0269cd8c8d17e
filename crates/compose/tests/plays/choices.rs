//! Tests, and what stands where they hold.

use crate::stage::Stage;

fn holds(test: &str) -> bool {
    let stage = Stage::new()
        .asking("x-n", "10")
        .asking("x-f", "false")
        .asking("user-agent", "Mozilla/4.0 (compatible; MSIE 6.5; Windows)");
    let template = format!(
        "<esi:choose><esi:when test=\"{test}\">yes</esi:when><esi:otherwise>no</esi:otherwise></esi:choose>"
    );
    match stage.text(&template).as_str() {
        "yes" => true,
        "no" => false,
        other => panic!("{test}: {other}"),
    }
}

#[test]
fn the_first_branch_that_holds_is_taken_and_the_others_ask_for_nothing() {
    let stage = Stage::new().with("/a", "A").with("/b", "B").with("/c", "C");
    let choose = |one: &str, two: &str| {
        format!(
            "0<esi:choose> - <esi:when test='{one}'>1<esi:include src='/a'/></esi:when> - <esi:when test='{two}'>2<esi:include src='/b'/></esi:when>\
             <esi:otherwise>3<esi:include src='/c'/></esi:otherwise></esi:choose>4"
        )
    };
    for (one, two, text, asked) in [
        ("1==1", "1==1", "01A4", "/a"),
        ("1==2", "1==1", "02B4", "/b"),
        ("1==2", "", "03C4", "/c"),
    ] {
        let played = stage.play(choose(one, two));
        assert_eq!(
            (played.text().as_str(), played.asked),
            (text, vec![asked.to_owned()])
        );
    }
}

#[test]
fn choices_stand_in_choices() {
    let stage = Stage::new();
    let inner = "<esi:choose><esi:when test='1==1'>a</esi:when><esi:otherwise>b</esi:otherwise></esi:choose>";
    let outer = |test: &str| {
        format!(
            "<esi:choose><esi:when test='{test}'>[{inner}]</esi:when><esi:otherwise>({inner})</esi:otherwise></esi:choose>"
        )
    };
    assert_eq!(stage.text(&outer("1==1")), "[a]");
    assert_eq!(stage.text(&outer("1==2")), "(a)");
}

#[test]
fn branches_without_a_choice_show_nothing_that_a_test_would_hide() {
    let stage = Stage::new();
    for (template, text) in [
        ("<esi:when test='1==1'>1</esi:when>2", "12"),
        ("<esi:when test='1==2'>1</esi:when>2", "2"),
        ("<esi:when>1</esi:when>2", "2"),
        ("<esi:otherwise>1</esi:otherwise>2", "2"),
        ("<esi:choose>1</esi:choose>2", "2"),
        (
            "<esi:choose><esi:otherwise>1</esi:otherwise><esi:when test='1==1'>2</esi:when></esi:choose>",
            "1",
        ),
        ("<esi:choose><esi:when test='1==2'>1</esi:choose>2", "2"),
        ("<esi:choose><esi:when test='1==2'>1", ""),
        ("<esi:choose/>1", "1"),
    ] {
        assert_eq!(stage.text(template), text, "{template}");
    }
}

#[test]
fn tests_that_hold() {
    for test in [
        "1==1",
        "1 == 1.0",
        "'a'=='a'",
        "a==a",
        "1!=2",
        "1&lt;2",
        "2<10",
        "'2'<'10'",
        "-1<0",
        "0.5<0.50001",
        "10>=10.0",
        "-2<=-1.5",
        "-0==0",
        "'b'>'a'",
        "'a10'<'a2'",
        "$(HTTP_COOKIE{user})=='ann'",
        "$(HTTP_COOKIE{user})!='bob'",
        "$(HTTP_COOKIE{user})",
        "!$(HTTP_COOKIE{none})",
        "$(HTTP_COOKIE{none})==''",
        "$(HTTP_COOKIE{user})!=''",
        "$(HTTP_COOKIE{none}|'x')=='x'",
        "$(HTTP_X_N)>9",
        "$(HTTP_X_N)==10",
        "!(1==2)",
        "!1==2",
        "!!(1==1)",
        "1==1&1==1",
        "1==1 && 1==1",
        "1==2|1==1",
        "1==2 || 1==1",
        "1==1 | 1==2 & 1==2",
        "(1==1|1==2)&1==1",
        "!(1==2)&!(2==3)",
        "( ( 1==1 ) )",
        "$(HTTP_USER_AGENT{browser})=='MSIE'",
        "$(HTTP_USER_AGENT{os})==WIN & $(HTTP_USER_AGENT{version})>=6.5",
        "$(QUERY_STRING{lang})=='de'",
        "'shop.example' has 'op.ex'",
        "$(REQUEST_PATH) has 'start'",
        "$(QUERY_STRING{name})=='a&amp;b'",
        "99999999999999999999999999>99999999999999999999999998",
    ] {
        assert!(holds(test), "{test}");
    }
}

#[test]
fn tests_that_do_not_hold_or_cannot_be_read() {
    for test in [
        "",
        " ",
        "1==2",
        "1!=1",
        "2<1",
        "10<2",
        "'a'=='A'",
        "$(HTTP_COOKIE{user})=='bob'",
        "$(HTTP_COOKIE{none})",
        "$(HTTP_COOKIE{none})=='x'",
        "$(HTTP_COOKIE{none})!='x'",
        "$(HTTP_COOKIE{none})==$(HTTP_COOKIE{none})",
        "$(HTTP_COOKIE{none})<1",
        "!$(HTTP_COOKIE{user})",
        "''",
        "'false'",
        "$(HTTP_X_F)",
        "1==1&1==2",
        "1==2|1==2",
        "(1==1",
        "1==1)",
        "1==",
        "==1",
        "1==1 1",
        "1=1",
        "!",
        "&",
        "1==1&",
        "'a",
        "$(",
        "$(HTTP_HOST",
        "1==1==1",
        "()",
        "'a' has 'b'",
        "a;b==a;b",
    ] {
        assert!(!holds(test), "{test}");
    }
    let deep = |depth: usize| format!("{}1==1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(holds(&deep(16)) && !holds(&deep(17)) && !holds(&deep(2000)));
    assert!(holds(&format!("{}(1==1)", "!".repeat(14))) && !holds(&"!".repeat(4000)));
}

#[test]
fn only_short_texts_are_looked_for_in_others() {
    let test = |length: usize| format!("'{}b' has '{}'", "a".repeat(300), "a".repeat(length));
    assert!(holds(&test(256)) && !holds(&test(257)));
}
