use super::*;
use crate::model::{Access, ClaimKey, Content};

mod finding;
mod ordering;
mod resolving;

/// A turn whose calls have references on.
struct Turn(Vec<Said>);

/// What a call says.
struct Said {
    id: CallId,
    tool: &'static str,
    input: Json,
    depends_on: Vec<String>,
    after: Vec<ToolName>,
    references: bool,
    turn: Option<ApiName>,
    claims: Vec<Claim>,
    series: Option<&'static str>,
}

impl Turn {
    fn new<const N: usize>(calls: [(&str, &'static str, &str); N]) -> Self {
        Self(
            calls
                .into_iter()
                .map(|(id, tool, input)| Said {
                    id: CallId::try_new(id).unwrap(),
                    tool,
                    input: Json::try_new(input).unwrap(),
                    depends_on: vec![],
                    after: vec![],
                    references: true,
                    turn: None,
                    claims: vec![],
                    series: None,
                })
                .collect(),
        )
    }

    fn depends_on(mut self, call: usize, names: &[&str]) -> Self {
        self.0[call].depends_on = names.iter().map(|&name| name.to_owned()).collect();
        self
    }

    fn after(mut self, call: usize, tools: &[&str]) -> Self {
        self.0[call].after = tools.iter().map(|&tool| ToolName::try_new(tool).unwrap()).collect();
        self
    }

    fn references_off(mut self, call: usize) -> Self {
        self.0[call].references = false;
        self
    }

    /// The call keeps block order among those of this API.
    fn turn(mut self, call: usize, api: &str) -> Self {
        self.0[call].turn = Some(ApiName::try_new(api).unwrap());
        self
    }

    fn series(mut self, call: usize, name: &'static str) -> Self {
        self.0[call].series = Some(name);
        self
    }

    /// The call writes what is marked with `!` and reads the rest; `*` stands for
    /// what is not known.
    fn claims(mut self, call: usize, claims: &[&str]) -> Self {
        self.0[call].claims = claims.iter().copied().map(claim).collect();
        self
    }

    fn plan_in(&self, ordering: Ordering) -> Plan {
        let calls: Vec<Call<'_>> = self
            .0
            .iter()
            .map(|said| Call {
                id: &said.id,
                tool: said.tool,
                is_known: true,
                input: Some(&said.input),
                depends_on: &said.depends_on,
                after: &said.after,
                references: said.references,
                turn: said.turn.as_ref(),
                claims: &said.claims,
                series: said.series,
            })
            .collect();
        build(&calls, ordering)
    }

    fn plan(&self) -> Plan {
        self.plan_in(Ordering::Free)
    }
}

fn claim(text: &str) -> Claim {
    let (access, name) = match text.strip_prefix('!') {
        Some(name) => (Access::Write, name),
        None => (Access::Read, text),
    };
    let key = match name.contains('*') {
        true => ClaimKey::Unknown(name.split('*').map(Arc::from).collect()),
        false => ClaimKey::Known(name.into()),
    };
    Claim { key, access }
}

fn fault(plan: &Plan, call: usize) -> &str {
    let fault =
        plan.nodes[call].fault.as_ref().unwrap_or_else(|| panic!("call {call} has no fault"));
    assert_eq!(fault.code, FailureCode::InvalidInput);
    &fault.message
}

fn edges(plan: &Plan) -> Vec<(usize, usize, EdgeKind, Strength)> {
    plan.edges.iter().map(|edge| (edge.from, edge.to, edge.kind, edge.strength)).collect()
}

fn whole(text: &str) -> Whole {
    Whole::new(&[Content::Text(text.into())])
}

/// A call with `input` beside one of `source` that came to `result`.
fn resolve(input: &str, result: Option<&str>) -> Result<String, Failure> {
    let plan = Turn::new([("toolu_1", "source", "{}"), ("toolu_2", "sink", input)]).plan();
    assert_eq!(plan.nodes[1].fault, None, "{input}");
    let Some(template) = &plan.nodes[1].template else { return Ok(input.to_owned()) };
    assert_eq!(template.parents(), if plan.edges.is_empty() { &[][..] } else { &[0] });
    let result = result.map(whole);
    template
        .resolve(4096, |call| result.as_ref().filter(|_| call == 0))
        .map(|json| json.to_string())
}
