//! A gateway that is a single point of failure.

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Origin, Sink, Spanned};
use meshc_vocabulary::model::{Gateway, GatewayRole, Id};

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0334"),
        title: "a gateway is a single point of failure",
        explanation: r#"All calls into a cluster pass its gateway, and all requests from outside the ingress. With one replica, the restart of
one pod or the loss of one node stops them all.

```mesh
gateway eastwest { role = east_west, address = 172.18.255.202, replicas = 1 }
```

Run two or more (the default is 2), or declare a second gateway of the same role in the cluster. A gateway that nobody
needs is no finding."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    for (id, gateway) in model.gateways.iter() {
        if gateway.replicas > 1 {
            continue;
        }
        let Some(user) = user(context, id, gateway) else { continue };
        let message = format!("gateway `{}` is a single point of failure", model.gateway_name(id));
        sink.push(
            Diagnostic::warning(CHECK.info.code, gateway.origin.span, message)
                .label("one replica")
                .also(user.span, "this depends on it")
                .help(match gateway.autoscale {
                    None => "run two or more with `replicas = …`",
                    Some(_) => "run two or more with `min_replicas = …`",
                }),
        );
    }
}

/// Something that depends on this very gateway.
fn user<'a>(context: &'a Context<'_>, id: Id<Gateway>, gateway: &Gateway) -> Option<&'a Origin> {
    match gateway.role {
        GatewayRole::EastWest => {
            let others = context.model.gateways.iter();
            let mut twins = others.filter(|(other, it)| {
                *other != id
                    && it.cluster == gateway.cluster
                    && it.role == gateway.role
                    && !it.addresses.is_empty()
            });
            let first = context.exports(id).first().and_then(|export| export.origins.first());
            first.filter(|_| twins.next().is_none())
        }
        GatewayRole::Egress => {
            let mut externals = context.model.externals.iter().map(|(_, external)| external);
            let through = |gateway: &Spanned<Id<Gateway>>| gateway.value == id;
            externals.find(|it| it.through.as_ref().is_some_and(through)).map(|external| &external.origin)
        }
        GatewayRole::Ingress => {
            let mut routes = context.model.routes.iter().map(|(_, route)| route);
            let alone = routes.find(|route| matches!(route.scope.gateways(), [only] if only.value == id));
            alone.map(|route| &route.origin)
        }
    }
}
