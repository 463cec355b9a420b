"""Every type of the contract under one roof, generated from `wit/connector.wit`.

Records are dataclasses, enums are enums, the cases of a variant are classes named `Variant_Case`, `u64` and `s64` are
`int`, bytes are `bytes`, and what may be missing is `None`.
"""

from wit_world.exports.description import *
from wit_world.exports.sessions import *
from wit_world.exports.settlement import *
from wit_world.exports.webhooks import *
from wit_world.imports.log import Level as Level
from wit_world.imports.types import *
