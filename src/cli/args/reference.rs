//! What is made of the definition of the command line: completions, manual pages, and
//! `docs/commands.md`.

use clap::Command;
use clap_complete::Shell;

use super::definition;

const NAME: &str = "aws-root-exporter";

const INTRODUCTION: &str = "\
<!-- Generated from the command line's definition in src/cli/args.rs. After a change there:
     UPDATE_DOCS=1 cargo test --test library reference -->

# Commands

Every command and flag, as `--help` tells them. A flag beats the environment
(`AWS_ROOT_EXPORTER__SECTION__KEY`), the environment beats the configuration file.

| exit code | of | means |
| --- | --- | --- |
| 0 | `check` | nothing was found that `--fail-on` names |
| 1 | `check` | an account has a root access key, or a root user without MFA; whatever else could not be judged |
| 3 | `check` | something could not be judged, a saved report that is too old among it, and nothing was found; or the command itself failed |
| 1 | the daemon | it could not start (a taken port, a file it may not read), or one of its tasks ended |
| 0 | `remediate` | it showed what there is, or there is nothing to do, or each key that was named is deleted and verified |
| 1 | `remediate` | it could not list the keys, or it deleted none of the keys that were named |
| 3 | `remediate` | all keys that were named are deleted, and not each is verified |
| 4 | `remediate` | some of the keys that were named are deleted, others not |
| 1 | `healthcheck` | the daemon is not healthy, or does not answer |
| 2 | all | wrong usage or configuration |

Colours are for terminals, and `NO_COLOR` turns them off.
";

/// The completions of a shell.
#[must_use]
pub fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut definition(), NAME, &mut script);
    String::from_utf8(script).unwrap_or_default()
}

/// The manual page of the program or of one of its commands; `None` where there is no such command.
#[must_use]
pub fn man(command: Option<&str>) -> Option<String> {
    let mut program = definition();
    program.build();
    let (title, command) = match command {
        None => (NAME.to_owned(), program),
        Some(name) => (
            format!("{NAME}-{name}"),
            program.find_subcommand(name)?.clone(),
        ),
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .title(title)
        .render(&mut page)
        .ok()?;
    String::from_utf8(page).ok()
}

/// The page about commands, as `docs/commands.md` must read.
#[must_use]
pub fn markdown() -> String {
    let mut program = definition().term_width(100);
    program.build();
    let mut page = INTRODUCTION.to_owned();
    section(&mut page, NAME, program.clone());
    for command in program.get_subcommands() {
        section(
            &mut page,
            &format!("{NAME} {}", command.get_name()),
            command.clone().term_width(100),
        );
    }
    page
}

fn section(page: &mut String, title: &str, mut command: Command) {
    let help = command.render_long_help().to_string();
    page.extend(["\n## ", title, "\n\n```text\n"]);
    for line in help.trim_end().lines() {
        page.push_str(line.trim_end());
        page.push('\n');
    }
    page.push_str("```\n");
}
