"""What checklists ask again and again: the words that they ask it in, and the check or the rule that answers it. Pure.

Only words that leave little doubt stand here; every other line becomes a check that people attest. The first topic that
fits counts, so that what is more special stands first.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

FACTS: Mapping[str, tuple[str, str, str]] = {
    "ci.coverage": ("number", "ratio", "Share of the lines that tests run through"),
    "ci.linted": ("boolean", "", "A linter runs on every change"),
    "ci.e2e_last_at": ("datetime", "", "When end-to-end tests last passed"),
    "repo.branch_protected": ("boolean", "", "The default branch takes reviewed changes only"),
    "repo.required_reviewers": ("integer", "count", "Reviews that a change needs before it is merged"),
    "repo.dependency_updates": ("boolean", "", "A bot proposes updates of dependencies"),
    "repo.files": ("set", "", "Paths of the files at the root of the repository"),
    "repo.secret_findings": ("integer", "count", "Secrets found in the repository and its history"),
    "repo.outside_collaborators": ("integer", "count", "People from outside who may write to the repository"),
    "runtime.images": ("set", "", "Images that run, with their tags"),
    "runtime.probes": ("set", "", "Kinds of probes that every container has: liveness, readiness, startup"),
    "runtime.non_root": ("boolean", "", "No container runs as root"),
    "runtime.prestop": ("boolean", "", "Containers have a preStop hook"),
    "runtime.disruption_budget": ("boolean", "", "A PodDisruptionBudget covers it"),
    "runtime.labels.missing": ("set", "", "Standard labels that its resources lack"),
    "runtime.network_policies": ("integer", "count", "Network policies that select it"),
    "runtime.quota.set": ("boolean", "", "Its namespace or project has a quota"),
    "traces.last_span_at": ("datetime", "", "When a span of it was last stored"),
    "profiling.last_profile_at": ("datetime", "", "When a profile of it was last stored"),
    "deploys.error_ratio_during": ("number", "ratio", "Share of requests that failed during the last deploys"),
    "deploys.auto_prune": ("boolean", "", "What is deleted in the repository is deleted in the cluster"),
    "data.restore.last_duration": ("number", "seconds", "How long the last restore took"),
    "db.cpu.peak": ("number", "ratio", "CPU in use of its busiest database, at the peak"),
    "db.regional": ("boolean", "", "Its databases survive the loss of a zone"),
    "db.replicas": ("integer", "count", "Read replicas of its databases"),
    "db.storage.grows": ("boolean", "", "The storage of its databases grows by itself"),
    "tls.expires_at": ("datetime", "", "When the first of its certificates expires"),
}
"""What has to supply these is up to the organisation: a connector of its own, or facts that are pushed."""


@dataclass(frozen=True)
class Topic:
    """Something that checklists ask."""

    words: str
    """A regular expression over the line in lower case."""
    check: str = ""
    """The default check that asks it."""
    rule: str = ""
    """Else the rule that answers it; `{n}` is the number that the line names."""
    of_databases: bool | None = None
    """Only under headings that speak of databases, or never there."""
    usual: int | None = None
    """What `{n}` is where the line names no number."""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The words, ready to be looked for."""
        return re.compile(self.words)


DATABASES = re.compile(r"\b(databases?|sql|spanner|data ?stores?|postgres\w*|mysql|mongo\w*|redis|data storage)\b")
REMARK = re.compile(r"\((pros|cons|e\.g\.|i\.e\.|why not|for example|this)\b[^)]*\)?", re.IGNORECASE)
CONDITIONAL = re.compile(r"if\b", re.IGNORECASE)
NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "a": 1}

TOPICS: tuple[Topic, ...] = (
    # Before what shares their words
    Topic(
        r"^(?!.*point-in-time).*?(?:recovered|restored) from backup in less than (?P<n>\d+) hours?",
        rule="data.restore.last_duration <= {n}h and data.restore.last_drill_at younger than 180d",
    ),
    # Tests and reviews
    Topic(r"coverage\D{0,40}?(?P<n>\d{1,3}) ?%|(?P<m>\d{1,3}) ?%\D{0,40}coverage", rule="ci.coverage >= {n}%"),
    Topic(
        r"(unit )?tests? cover\D{0,60}?(?P<n>\d{1,3}) ?%|covered by (unit )?tests\D{0,40}(?P<m>\d{1,3}) ?%",
        rule="ci.coverage >= {n}%",
    ),
    Topic(
        r"(?:minimum|at least|number of|require[sd]?)\D{0,30}?(?:(?P<n>\d+|one|two|three) )?(?:\w+ )?"
        r"(?:reviewers?|approv(?:al|er)s?)\b",
        rule="repo.required_reviewers >= {n}",
        usual=2,
    ),
    Topic(r"\blint(ers?|ing)?\b|static (code )?analysis|code style (is )?(check|enforc)", rule="ci.linted"),
    Topic(r"\b(e2e|end[- ]to[- ]end|integration)([- ]tests?| testing)\b", rule="ci.e2e_last_at younger than 30d"),
    Topic(
        r"branch\b.{0,20}\b(is )?(locked|protected)|branch protection|protected (default |main )?branch|"
        r"merge[sd]? .{0,20}(through|via|by) (prs|pull requests|merge requests)|no direct (push|commit)",
        rule="repo.branch_protected",
    ),
    Topic(
        r"unit tests?\b.{0,60}\bci\b|\bci\b for every|tests? (run|are run|is run|are executed)\b.{0,40}"
        r"(\bci\b|every|each|pull request|\bprs?\b)|continuous integration|runs? ci\b|^unit[- ]tests?$|"
        r"(automated|automatic) builds?\b|automated tests? (on|for) (each|every)|build( process)? is (fully )?"
        r"automated",
        check="chg.ci",
    ),
    Topic(
        r"dependabot|renovate|dependenc(y|ies) (are|is|get) (automatically )?(kept )?(updated|up[- ]to[- ]date)",
        rule="repo.dependency_updates",
    ),
    Topic(
        r"(critical|known|open|no|unpatched|scan\w*|fix\w*)\b.{0,40}vulnerabilit|"
        r"vulnerabilit\w*.{0,40}(scan|fix|patch|resolv)|"
        r"\bcves?\b|(dependency|image|container) scan",
        check="chg.vulns",
    ),
    Topic(
        r"secrets? .{0,40}\b(not|never)\b.{0,40}(code|commit|repo|source|\bgit\b|checked in|config)|"
        r"\b(no|not|never|don.?t|without)\b.{0,30}(secrets?|credentials?|passwords?)\b.{0,40}"
        r"(code|commit|repo|source|\bgit\b|config)|(credential|secret) scanning|hard-?coded (secret|credential|passw)",
        rule="repo.secret_findings == 0",
    ),
    Topic(
        r"outside collaborators|only (people|members) .{0,40}access to the repositor",
        rule="repo.outside_collaborators == 0",
    ),
    Topic(r"\.?dockerignore", rule="repo.files contains '.dockerignore'"),
    Topic(r"\bcodeowners\b", rule="repo.files contains 'CODEOWNERS'"),
    Topic(r"\breadme\b", rule="any member of repo.files =~ '(?i)(^|/)readme'"),
    Topic(
        r"\boss guidelines|(licen[sc]e|contributing)\b.{0,20}\bfile",
        rule="repo.files contains all of [LICENSE, CONTRIBUTING.md]",
    ),
    # Deploys
    Topic(
        r"canar(y|ies)|blue[/ -]green|progressive (delivery|rollout)|gradual(ly)? (deploy|roll|release)|"
        r"deploy\w* can be gradual|(staged|phased) (rollout|release)",
        check="chg.progressive",
    ),
    Topic(r"roll(ed|ing|s)?[- ]?back|revert(ed|ing)? (a |the )?(release|deploy)", check="chg.rollback"),
    Topic(
        r"(zero[- ]downtime|without downtime|no downtime).{0,40}deploy|deploy.{0,60}(zero[- ]downtime|without downtime|"
        r"downtime)",
        rule="deploys.error_ratio_during <= 0.1%",
    ),
    Topic(r"auto[- ]?prun", rule="deploys.auto_prune"),
    Topic(r"self[- ]heal", check="chg.config"),
    Topic(
        r"deploy(ment|s)?( process)?( is| are)? (fully |running )?(automated|automatic)|automated deploy|"
        r"deploy process is running in ci|continuous (delivery|deployment)|\bcd (pipeline|process)",
        check="chg.deploy_auto",
    ),
    Topic(
        r"infrastructure as code|managed (through|via|with|by|in) (iac|terraform|pulumi|git\b)|"
        r"(config\w*|infrastructure)\b.{0,30}\b(versioned|in version control|version controlled)",
        check="chg.config",
    ),
    Topic(r"error[- ]budget polic", check="chg.budget_policy"),
    Topic(r"change[- ]fail(ure)? rate", check="chg.cfr"),
    Topic(r"launch (check-?list|coordination|review)", check="chg.launch"),
    # What is watched
    Topic(
        r"\b(no|not|never|without|mask\w*|redact\w*)\b.{0,60}(\bpii\b|sensitive|secrets?|personal).{0,40}\blogs?\b|"
        r"\blogs?\b.{0,60}\b(no|not|never|without|mask\w*|redact\w*)\b.{0,40}(\bpii\b|sensitive|secrets?|"
        r"personal)|\bgdpr\b",
        check="obs.no_secrets",
    ),
    Topic(r"burn[- ]rate|alerts?\b.{0,40}\bslos?\b|\bslos?\b.{0,40}\balert", check="obs.burn_alert"),
    Topic(r"\bslos?\b.{0,60}dashboard|dashboard.{0,60}\bslos?\b|timeboard", check="obs.slo.on_dashboard"),
    Topic(r"dependenc\w+.{0,60}\b(slo|sla)s?\b|\b(slo|sla)s?\b.{0,40}dependenc", check="arch.deps_slo"),
    Topic(r"latency.{0,30}\bslos?\b|\bslos?\b.{0,30}latency", check="obs.slo.latency"),
    Topic(
        r"(defin\w*|has|have|agreed|set|documented)\b.{0,30}\b(slos?|service level objectives?)\b|"
        r"\b(slos?|service level objectives?)\b.{0,40}(defined|set|agreed|exist|documented)",
        check="obs.slo.defined",
    ),
    Topic(
        r"^(service )?dashboards?$|dashboards? (is|are|exist|has been|have been)|has (a )?dashboard",
        check="obs.slo.on_dashboard",
    ),
    Topic(
        r"(golden|four|key) signals|health of the system is monitored|latency, traffic, errors|"
        r"(metrics|telemetry) (is|are) (exposed|exported|collected|published)",
        check="obs.golden",
    ),
    Topic(
        r"request[- ]id|structured log|json log|\blogs?\b.{0,40}\b(structured|as json|container log format)",
        check="obs.reqlog",
    ),
    Topic(
        r"(logs?|errors?|exceptions?|faults)\b.{0,60}(central|aggregat|sentry|\belk\b|splunk|\bloki\b|stdout)|"
        r"central(ly|i[sz]ed)? log|error tracking|(faults|errors) (and \w+ )?(are )?logged",
        check="obs.central_errors",
    ),
    Topic(
        r"distributed trac|open-?telemetry|\btracing context|requests are traced|trac(ing|es) (is|"
        r"are) (enabled|collected|set)",
        rule="traces.last_span_at younger than 24h",
    ),
    Topic(r"\bprofil(ed|er|ing)\b", rule="profiling.last_profile_at younger than 7d"),
    Topic(
        r"synthetic (monitor|test|probe)|black[- ]?box (monitor|probe)|uptime (check|monitor)|dead ?man",
        check="obs.probe",
    ),
    # Emergencies
    Topic(r"actionable", check="er.actionable"),
    Topic(r"run-?books?|play-?books?", check="er.runbook"),
    Topic(
        r"critical alerts?\b.{0,40}(sent|routed|page)|alerts? (are |is )?routed",
        check="er.oncall_scope",
    ),
    Topic(
        r"on-?call (rota|rotation|schedule|team)|rotation.{0,20}on-?call|escalation (polic|path|chain)|"
        r"gets? notifications? on critical|someone is on-?call|\bon-?call\b.{0,30}(defined|set up|staffed|24/7)",
        check="er.rotation",
    ),
    Topic(r"(critical )?alerts? (are |is |have been )?(defined|configured|set up|created)", check="obs.burn_alert"),
    Topic(r"post-?mortems?|post-?incident review|root cause analys", check="er.postmortem"),
    Topic(
        r"game ?days?|wheel of misfortune|(disaster recovery|\bdr\b|incident|emergency) (test|drill|exercise|"
        r"simulation)|"
        r"fire drill",
        check="er.drill",
    ),
    Topic(r"kill switch|emergency (control|stop)|drain(ed|ing)? (a |the )?(zone|region|traffic)", check="er.controls"),
    # Capacity
    Topic(r"load[- ]?test|stress[- ]?test|expected load", check="cap.load_test"),
    Topic(
        r"(cpu|memory|resources?)\b.{0,40}\b(requests?|limits?)\b.{0,20}(set|defined|configured|specified|value|$)|"
        r"(requests?|limits?) (are )?(defined|set|configured) for (cpu|memory)|resource (requests|limits)",
        check="cap.limits",
    ),
    Topic(
        r"auto[- ]?scal|\bhpa\b|horizontal pod|scales? (horizontally|automatically|up and down|out\b)",
        check="cap.autoscale",
    ),
    Topic(r"capacity (plan|forecast)|(demand|growth|traffic) (forecast|plan)", check="cap.forecast"),
    Topic(r"load[- ]?shed|shed(s|ding)? load", check="cap.loadshed"),
    Topic(
        r"(zone|\baz\b|region)( failure| outage| loss)|los(s|e|ing) (of )?(a|an|one) (zone|az|region)|\bn\+1\b",
        check="cap.zone_loss",
    ),
    Topic(r"\bcpu usage\b.{0,60}?should be < ?(?P<n>\d{1,3}) ?%", rule="db.cpu.peak < {n}%", of_databases=True),
    Topic(r"cpu (usage|utili[sz]ation)|\bheadroom\b", check="cap.saturation", of_databases=False),
    Topic(r"(disk|storage)\b.{0,30}\b(full|space|running out|capacity)", check="cap.storage", of_databases=False),
    Topic(r"automatic storage increase", rule="db.storage.grows"),
    Topic(r"quotas? (is|are)? ?(set|defined)", rule="runtime.quota.set"),
    # How it is built
    Topic(
        r"^(?!.*point-in-time).*?(restor|recover)\w* .{0,30}backups?|"
        r"backups?\b.{0,60}\b(tested|restor|drill|recover)|disaster recovery plan",
        check="arch.restore",
    ),
    Topic(
        r"(automatic|scheduled|regular|daily)( automatic)? backups?|^backups?$|backups? (are|is)\b",
        rule="data.backup.last_success_at younger than 2d",
    ),
    Topic(r"(has|have|one or more) .{0,30}read replicas?", rule="db.replicas >= 1"),
    Topic(r"regional ha\b|multi-az database|high availability (is )?enabled", rule="db.regional"),
    Topic(
        r"graceful(ly)? degrad|degrad\w+ gracefully|(keeps?|continues?) working.{0,60}(dependenc|partially)|"
        r"dependenc\w+.{0,40}\b(fails?|outage|not working|unavailable)\b",
        check="arch.degrade",
    ),
    Topic(r"time-?outs?\b|\bretr(y|ies)\b|circuit[- ]?break|back-?off", check="arch.timeouts"),
    Topic(
        r"no single points? of failure|(multi(ple)?|across|several)[- ]?(availability )?(az|zones?|regions?)\b|"
        r"redundan|multiple (replicas|instances)|withstand outages",
        check="arch.redundancy",
    ),
    Topic(
        r"^design doc|(its|has a|have a|the) design doc\w* (is|was|exists)|has (a|an up-to-date) design doc|"
        r"architecture (is )?(doc|diagram)|system (architecture|design) (diagram|doc)|"
        r"design reviews? for each major",
        check="arch.design_doc",
    ),
    Topic(
        r"owner(s|ship)?( team)? (is|are|has been) (known|defined|listed|set|clear|named|documented)|owning team|"
        r"has (an |a clear )?owner|contact (info\w*|details) (about|of) the owner",
        check="arch.owner",
    ),
    Topic(
        r"(service )?(criticality|tier) (is |has been )(defined|set|assigned|known|agreed)", check="arch.criticality"
    ),
    Topic(
        r"dependenc(y|ies) (are|is|have been) (documented|listed|known|declared|identified|mapped)",
        check="arch.deps_match",
    ),
    Topic(r"network(ing)? polic(y|ies)", rule="runtime.network_policies >= 1"),
    # How it runs
    Topic(r"liveness", rule="runtime.probes contains liveness"),
    Topic(r"readiness probe|readiness (check|endpoint)", rule="runtime.probes contains readiness"),
    Topic(r"health[- ]?checks?( endpoint)?\b", rule="count(runtime.probes) >= 1"),
    Topic(r"\bpdbs?\b|pod ?disruption ?budget", rule="runtime.disruption_budget"),
    Topic(r"pre-?stop", rule="runtime.prestop"),
    Topic(r"non-?root|not run as root", rule="runtime.non_root"),
    Topic(
        r"\btag\b.{0,20}(is )?not .{0,10}latest|no .?latest.? tag|latest tag",
        rule="no member of runtime.images ends with ':latest'",
    ),
    Topic(
        r"(resources|types? of resources?|workloads?)\b.{0,30}\b(are )?(tagged|labell?ed)|labels for every",
        rule="runtime.labels.missing is empty",
    ),
    Topic(r"certificates?\b.{0,40}(expir|renew)", rule="tls.expires_at at least 30d ahead"),
    # What the catalog says
    Topic(r"has (a )?(service )?description\b", rule="entity.metadata.description exists"),
    Topic(r"links? to (the )?(source|repo)", rule="entity.metadata.annotations.backstage.io/source-location exists"),
    Topic(
        r"links? to (the )?docs?\b|has (user )?documentation",
        rule="entity.metadata.annotations.backstage.io/techdocs-ref exists",
    ),
    # What is promised
    Topic(r"availability (slo|target|objective) (is |was |has been )?met", check="perf.availability"),
    Topic(r"latency (slo|target|objective) (is |was |has been )?met", check="perf.latency"),
    Topic(r"cost (per|of) request|costs? (is|are) (tracked|monitored)", check="perf.efficiency"),
)


@dataclass(frozen=True)
class Found:
    """The topic of a line."""

    topic: Topic
    rule: str
    words: str
    """Those of the line that told it."""


def topic_of(text: str, name: str, section: tuple[str, ...]) -> Found | None:
    """Return the topic that a line asks, looked for in its words and its name; None where none is plain."""
    in_databases = bool(DATABASES.search(" ".join(section).lower()))
    if CONDITIONAL.match(text):
        return None
    fitting = [topic for topic in TOPICS if topic.of_databases in {None, in_databases}]
    for where in filter(None, (name, REMARK.sub(" ", text))):
        for topic in fitting:
            found = topic.pattern.search(where.lower())
            if found:
                return _found(topic, found)
    return None


def _found(topic: Topic, match: re.Match[str]) -> Found:
    groups = match.groupdict()
    number = groups.get("n") or groups.get("m")
    told = NUMBERS.get(number, number) if number else topic.usual
    return Found(topic, topic.rule.replace("{n}", str(told)), match[0].strip())
