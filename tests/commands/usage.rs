//! Help, completions, manual pages, and suggestions for misspelt arguments.

use test_support::run::Bench;

#[test]
fn the_nearest_command_or_flag_is_named() {
    let bench = Bench::new();
    for (line, nearest) in [
        ("chekc", "check"),
        ("polcy hub", "policy"),
        ("check --reprot x", "--report"),
        ("remediate --acount 000000000012", "--account"),
        ("policy hubb", "hub"),
        ("print rule", "rules"),
    ] {
        bench.run(line).exits(2).complains(nearest);
    }
}

#[test]
fn help_has_examples_and_no_colours_in_a_pipe() {
    let bench = Bench::new();
    for line in [
        "--help",
        "check --help",
        "policy --help",
        "remediate -h",
        "print -h",
        "completions -h",
        "man -h",
    ] {
        bench
            .run(line)
            .exits(0)
            .says("Examples:")
            .never_says("\u{1b}[");
    }
}

#[test]
fn every_shell_has_completions_of_every_command() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = bench.run(&format!("completions {shell}")).exits(0);
        for command in ["check", "remediate", "healthcheck", "print"] {
            assert!(ran.out.contains(command), "{shell}: {command}");
        }
    }
    bench.run("completions csh").exits(2);
}

#[test]
fn there_is_a_manual_page_of_the_program_and_of_each_command() {
    let bench = Bench::new();
    bench
        .run("man")
        .exits(0)
        .says(".TH aws-root-exporter 1")
        .says("Examples:");
    bench
        .run("man check")
        .exits(0)
        .says(".TH aws-root-exporter-check 1")
        .says("only\\-findings");
    bench.run("man chekc").exits(2).complains("no such command");
}

#[test]
fn the_help_of_a_command_omits_flags_that_it_refuses() {
    let bench = Bench::new();
    bench.file("f", "");
    for (command, flag) in [
        ("demo", "--config.file"),
        ("print", "--config.file"),
        ("man", "--config.file"),
        ("completions", "--config.file"),
        ("check", "--web.listen-address"),
        ("remediate", "--shard.index"),
    ] {
        bench
            .run(&format!("{command} --help"))
            .exits(0)
            .never_says(flag);
    }
    bench
        .run("print rules --config.file f")
        .exits(2)
        .complains("reads no configuration");
}
