//! `docs/commands.md`, written from the definition of the command line.

use aws_root_exporter::cli::args::definition;
use clap::Command;

const NAME: &str = "aws-root-exporter";

const INTRODUCTION: &str = "\
<!-- Generated from the command line's definition in src/cli/args.rs. After a change there:
     UPDATE_DOCS=1 cargo test --test library reference -->

# Commands

Every command and flag, as `--help` prints them. A flag overrides the environment
(`AWS_ROOT_EXPORTER__SECTION__KEY`), the environment overrides the configuration file.

| exit code | command | meaning |
| --- | --- | --- |
| 0 | `check` | there is no finding of `--fail-on` |
| 1 | `check` | an account has a root access key, or a root user without MFA; other accounts may be unknown |
| 3 | `check` | no such finding, but something is unknown or a saved report is too old; or the command itself failed |
| 1 | the daemon | it could not start (the port is in use, a file cannot be read), or one of its tasks ended |
| 0 | `remediate` | it showed the keys, or there is nothing to do, or each named key is deleted and verified |
| 1 | `remediate` | it could not list the keys, or deleted none of the named keys |
| 3 | `remediate` | all named keys are deleted, but not every deletion is verified |
| 4 | `remediate` | some of the named keys are deleted, others are not |
| 1 | `healthcheck` | the daemon is not healthy, or does not answer |
| 2 | all | wrong usage or configuration |

Output is coloured on terminals only; `NO_COLOR` turns colours off.
";

/// The content of `docs/commands.md`.
pub fn page() -> String {
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
