"""GitHub and GitLab as a catalog asks them: files with their ETags, trees, lists of repositories, GraphQL.

GraphQL is executed against an excerpt of each vendor's published schema, so that a question which theirs would refuse
is refused here.
"""

import hashlib
from typing import Any

from flask import Response, request
from graphql import build_schema, graphql_sync

from tests.fakes.gitlab import mended
from tests.fakes.server import Fake, in_part

GITHUB_SCHEMA = build_schema("""
    type Query { nodes(ids: [ID!]!): [Node]! }
    interface Node { id: ID! }
    interface GitObject { id: ID!, oid: String! }
    type Blob implements GitObject & Node { id: ID!, oid: String! }
    type Tree implements GitObject & Node { id: ID!, oid: String! }
    type Repository implements Node { id: ID!, name: String!, object(expression: String, oid: String): GitObject }
""")
GITLAB_SCHEMA = build_schema("""
    type Query { projects(ids: [ID!], search: String, first: Int, after: String): ProjectConnection }
    type ProjectConnection { nodes: [Project] }
    type Project { id: ID!, repository: Repository }
    type Repository { blobs(paths: [String!]!, ref: String): RepositoryBlobConnection }
    type RepositoryBlobConnection { nodes: [RepositoryBlob] }
    type RepositoryBlob { path: String! }
""")


class CodeHost(Fake):
    """Keeps the files of repositories by slug. Answers are cut to what is read; requests are checked whole."""

    def __init__(self, *args: Any) -> None:
        self.repositories: dict[str, dict[str, Any]] = {}
        self.unchanged = 0
        """Trees that were asked for again and had not changed."""
        super().__init__(*args)

    @classmethod
    def relax(cls, spec: dict[str, Any]) -> dict[str, Any]:
        """Answers are cut to what is read."""
        return in_part(spec)

    def add(self, slug: str, files: dict[str, str] | None = None, **parts: Any) -> dict[str, Any]:
        made = {"number": len(self.repositories) + 1, "files": files or {}, "topics": [], "archived": False,
                "fork": False, "branch": "main", "branches": {"main"}, **parts}  # fmt: skip
        self.repositories[slug] = made
        return made

    def file(self, slug: str, path: str, ref: str) -> Any:
        found = self.repositories.get(slug)
        if found is None or ref not in found["branches"] or path not in found["files"]:
            return self.refuse(404, "Not Found")
        body = found["files"][path].encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:12]}"'
        if request.headers.get("If-None-Match") == etag:
            return Response(status=304, headers={"ETag": etag})
        return Response(body, headers={"ETag": etag}, content_type="text/plain; charset=utf-8")

    def about(self, **named: str) -> Any:
        found = self.repositories.get("/".join(named.values()))
        return {"default_branch": found["branch"]} if found else self.refuse(404, "Not Found")

    def page(self, entries: list[Any], answered: Any) -> Response:
        """Cut a page out of a list, and name the next one as both vendors do."""
        size, number = int(request.args.get("per_page", 20)), int(request.args.get("page", 1))
        response: Response = self.app.json.response([answered(one) for one in entries[(number - 1) * size :][:size]])
        if number * size < len(entries):
            given = {**request.args.to_dict(), "page": str(number + 1)}
            query = "&".join(f"{name}={value}" for name, value in given.items())
            path = request.environ["REQUEST_URI"].partition("?")[0]
            response.headers["Link"] = f'<{self.url}{path}?{query}>; rel="next", <{self.url}/x>; rel="last"'
        return response

    def tagged(self, response: Response) -> Response:
        """Say 304 to whoever knows the answer already."""
        response.add_etag()
        response.make_conditional(request)
        self.unchanged += response.status_code == 304
        return response

    def answered(self, schema: Any, root: dict[str, Any]) -> Any:
        asked = request.get_json()
        result = graphql_sync(schema, asked["query"], root, variable_values=asked["variables"])
        return result.formatted


class GithubFiles(CodeHost):
    undocumented = frozenset({"/graphql"})

    @classmethod
    def relax(cls, spec: dict[str, Any]) -> dict[str, Any]:
        """A repository in which nothing is yet may have no branch, as GitLab's have none."""
        relaxed = super().relax(spec)
        relaxed["components"]["schemas"]["minimal-repository"]["properties"]["default_branch"]["nullable"] = True
        return relaxed

    def register(self) -> None:
        self.app.get("/orgs/<org>/repos")(self.list)
        self.app.get("/repos/<owner>/<repo>")(self.about)
        self.app.get("/repos/<owner>/<repo>/contents/<path:path>")(self.contents)
        self.app.get("/repos/<owner>/<repo>/git/trees/<tree_sha>")(self.tree)
        self.app.post("/graphql")(self.graphql)

    def _check_request(self, query: Any) -> Any:
        # The document's `{path}` has several steps on the real server, which OpenAPI 3.0 cannot say.
        _, contents, path = request.path.partition("/contents/")
        return None if contents and "/" in path else super()._check_request(query)

    def list(self, org: str) -> Any:
        return self.page(
            [slug for slug in self.repositories if slug.startswith(f"{org}/")],
            lambda slug: {
                "id": self.repositories[slug]["number"],
                "node_id": f"R_{self.repositories[slug]['number']}",
                "name": slug.partition("/")[2],
                "full_name": slug,
                "html_url": f"{self.url}/{slug}",
                "default_branch": self.repositories[slug]["branch"],
                "topics": self.repositories[slug]["topics"],
                "archived": self.repositories[slug]["archived"],
                "fork": self.repositories[slug]["fork"],
            },
        )

    def contents(self, owner: str, repo: str, path: str) -> Any:
        assert request.headers["Accept"] == "application/vnd.github.raw+json"
        return self.file(f"{owner}/{repo}", path, request.args["ref"])

    def tree(self, owner: str, repo: str, tree_sha: str) -> Any:
        found = self.repositories.get(f"{owner}/{repo}")
        if found is None or tree_sha not in found["branches"]:
            return self.refuse(404, "Not Found")
        blobs = [{"path": path, "type": "blob", "sha": "0" * 40} for path in found["files"]]
        tree = [*blobs, {"path": "folder", "type": "tree"}]
        return self.tagged(self.app.json.response({"sha": "0" * 40, "tree": tree, "truncated": False}))

    def graphql(self) -> Any:
        by_id = {f"R_{one['number']}": one for one in self.repositories.values()}

        def node(id_: str) -> Any:
            one = by_id.get(id_)
            return one and {
                "__typename": "Repository",
                "id": id_,
                "object": lambda _info, expression: held(one, expression),
            }

        def held(one: dict[str, Any], expression: str) -> Any:
            ref, _, path = expression.partition(":")
            known = ref == "HEAD" or ref in one["branches"]
            return {"__typename": "Blob", "id": "B", "oid": "0"} if known and path in one["files"] else None

        return self.answered(GITHUB_SCHEMA, {"nodes": lambda _info, ids: [node(id_) for id_ in ids]})


class GitlabFiles(CodeHost):
    undocumented = frozenset({"/api/graphql"})

    @classmethod
    def relax(cls, spec: dict[str, Any]) -> dict[str, Any]:
        return mended(spec)

    def register(self) -> None:
        self.app.get("/api/v4/groups/<path:id>/projects")(self.list)
        self.app.get("/api/v4/projects/<path:id>")(self.about)
        self.app.get("/api/v4/projects/<path:id>/repository/files/<path:file_path>/raw")(self.raw)
        self.app.get("/api/v4/projects/<path:id>/repository/tree")(self.tree)
        self.app.post("/api/graphql")(self.graphql)

    def _check_request(self, query: Any) -> Any:
        # The document leaves out `…/files/{file_path}/raw`, which answers what is documented without JSON around it.
        return None if request.path.endswith("/raw") else super()._check_request(query)

    def list(self, id: str) -> Any:
        assert request.args["include_subgroups"] == "true"
        shown = [
            path
            for path, one in self.repositories.items()
            if path.startswith(f"{id}/") and not (request.args.get("archived") == "false" and one["archived"])
        ]
        return self.page(
            shown,
            lambda path: {
                "id": self.repositories[path]["number"],
                "path_with_namespace": path,
                "web_url": f"{self.url}/{path}",
                "default_branch": self.repositories[path]["branch"],
                "topics": self.repositories[path]["topics"],
                "archived": self.repositories[path]["archived"],
                **({"forked_from_project": {"id": 1}} if self.repositories[path]["fork"] else {}),
            },
        )

    def raw(self, id: str, file_path: str) -> Any:
        return self.file(id, file_path, request.args["ref"])

    def tree(self, id: str) -> Any:
        found = self.repositories.get(id)
        if found is None:
            return self.refuse(404, "404 Project Not Found")
        below = request.args.get("path", "")
        shown = [name for name in sorted(found["files"]) if name.startswith(below)]
        return self.tagged(self.page(shown, lambda name: {"id": "0", "name": name, "type": "blob", "path": name}))

    def graphql(self) -> Any:
        by_id = {f"gid://gitlab/Project/{one['number']}": one for one in self.repositories.values()}

        def project(id_: str) -> Any:
            return {"id": id_, "repository": {"blobs": lambda _info, paths, ref=None: blobs(by_id[id_], paths, ref)}}

        def blobs(one: dict[str, Any], paths: list[str], ref: str | None) -> Any:
            known = ref is None or ref in one["branches"]
            return {"nodes": [{"path": path} for path in paths if known and path in one["files"]]}

        def projects(_info: Any, ids: list[str], first: int) -> Any:
            return {"nodes": [project(id_) for id_ in ids if id_ in by_id][:first][::-1]}

        return self.answered(GITLAB_SCHEMA, {"projects": projects})
