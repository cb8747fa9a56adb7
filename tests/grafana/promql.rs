//! Parses queries that contain Grafana's variables.

use std::time::Duration;

use promql_parser::parser::{self, Expr, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};

/// Replaces `$__rate_interval` while a query is parsed: a duration that no query contains.
pub const RATE_INTERVAL: Duration = Duration::from_secs(11 * 60 + 13);

/// A selector, its range if it has one, and the functions around it, the innermost last.
pub struct Use {
    pub selector: VectorSelector,
    pub range: Option<Duration>,
    pub functions: Vec<&'static str>,
}

impl Use {
    pub fn name(&self) -> &str {
        self.selector.name.as_deref().unwrap_or_default()
    }

    /// Whether the selector has this matcher: a label, an operator, a value.
    pub fn has(&self, label: &str, operator: &str, value: &str) -> bool {
        let mut matchers = self.selector.matchers.matchers.iter();
        matchers.any(|matcher| {
            matcher.name == label && matcher.op.to_string() == operator && matcher.value == value
        })
    }

    /// The labels of the matchers.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.selector.matchers.matchers.iter().map(|m| &m.name[..])
    }
}

/// The selectors of a query. `$job` and others are valid in a matcher; Grafana's intervals are not
/// valid `PromQL` and are replaced.
pub fn uses(query: &str) -> Result<Vec<Use>, String> {
    let query = query
        .replace("$__rate_interval", "11m13s")
        .replace("$__interval", "1m");
    let tree = parser::parse(&query)?;
    let mut collect = Collect::default();
    walk_expr(&mut collect, &tree)?;
    Ok(collect.uses)
}

#[derive(Default)]
struct Collect {
    uses: Vec<Use>,
    functions: Vec<&'static str>,
}

impl ExprVisitor for Collect {
    type Error = String;

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, String> {
        match expression {
            Expr::Call(call) => self.functions.push(call.func.name),
            Expr::VectorSelector(selector) => self.add(selector, None),
            Expr::MatrixSelector(matrix) => self.add(&matrix.vs, Some(matrix.range)),
            _ => {}
        }
        Ok(true)
    }

    fn post_visit(&mut self, expression: &Expr) -> Result<bool, String> {
        if let Expr::Call(_) = expression {
            self.functions.pop();
        }
        Ok(true)
    }
}

impl Collect {
    fn add(&mut self, selector: &VectorSelector, range: Option<Duration>) {
        self.uses.push(Use {
            selector: selector.clone(),
            range,
            functions: self.functions.clone(),
        });
    }
}

#[test]
fn uses_have_matchers_a_range_and_functions() {
    let query = "sum(ceil(rate(a_total{job=~\"$job\"}[$__rate_interval]))) / b";
    let [a, b] = &uses(query).unwrap()[..] else {
        panic!("two series")
    };
    assert_eq!((a.name(), b.name()), ("a_total", "b"));
    assert!(a.has("job", "=~", "$job") && !a.has("job", "=", "$job"));
    assert_eq!(a.range, Some(RATE_INTERVAL));
    assert_eq!(a.functions, ["ceil", "rate"]);
    assert!(b.functions.is_empty());
}
