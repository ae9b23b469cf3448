import pytest

from app.page_bundle import BundleError, join_modules

MODULES = {
    "main.js": 'import { once, two as b2 } from "./a.js";\nimport * as b from "./b-c.js";\nimport "./d.js";\nonce();\n',
    "a.js": 'import { shared } from "./d.js";\nexport function once() {}\nexport const two = shared;\nconst KEY = 1;\n',
    "b-c.js": 'import {\n  shared,\n} from "./d.js";\nexport class B {}\nexport async function load() {}\n',
    "d.js": "const KEY = 2;\nexport const shared = KEY;\n",
    "unused.js": "",
}


def test_modules_come_once_each_behind_those_that_they_import() -> None:
    script = join_modules(MODULES, "main.js")
    order = [script.index(f"const ${name} = (() =>") for name in ("d", "a", "b_c", "main")]
    assert order == sorted(order)
    assert script.count("const $d = (() =>") == 1
    assert "unused" not in script


def test_imports_are_constants_and_exports_are_returned() -> None:
    script = join_modules(MODULES, "main.js")
    assert "const { once, two: b2 } = $a;" in script
    assert "const b = $b_c;" in script
    assert "const {\n  shared,\n} = $d;" in script
    assert "return { once, two };" in script
    assert "return { B, load };" in script
    assert not [line for line in script.splitlines() if line.startswith(("import", "export"))]


@pytest.mark.parametrize(
    "source",
    [
        "export default 1;",
        "export let changing = 1;",
        'export { a } from "./a.js";',
        'import a from "./a.js";',
        "import { a } from './a.js';",
        'const a = await fetch("a");',
        'const load = () => import("./a.js");',
    ],
)
def test_other_forms_are_refused_with_their_line(source: str) -> None:
    with pytest.raises(BundleError, match=r"main\.js, line 2"):
        join_modules({"main.js": f"// a comment\n{source}\n", "a.js": ""}, "main.js")


def test_circles_and_missing_modules_are_named() -> None:
    with pytest.raises(BundleError, match=r"circle: a\.js > b\.js > a\.js"):
        join_modules({"a.js": 'import "./b.js";', "b.js": 'import "./a.js";'}, "a.js")
    with pytest.raises(BundleError, match=r"a\.js imports b\.js, which is not there"):
        join_modules({"a.js": 'import "./b.js";'}, "a.js")
