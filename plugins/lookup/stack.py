# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: stack
short_description: Read a stack, which is a Compose project
version_added: 0.1.0
author:
  - The optiinfra.platform maintainers (@optiinfra)
description:
  - Returns the project as a mapping, with its C(name). References such as C(${NAME}) are left as they are.
options:
  _terms:
    description:
      - The stacks, each as in O(optiinfra.platform.port_plan#module:stacks) - a name, a path of a file or folder, a
        list of files, a mapping with C(files), or the project itself.
    required: true
  want:
    description: Whether to return the project, or the variables of its C(.env) file.
    type: str
    choices: [definition, environment]
    default: definition
"""

EXAMPLES = r"""
- name: Name the services of the platform
  ansible.builtin.debug:
    msg: "{{ lookup('optiinfra.platform.stack', 'optiinfra').services.keys() }}"
"""

RETURN = r"""
_raw:
  description: The projects, or their variables.
  type: list
  elements: dict
"""

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError
from ansible_collections.optiinfra.platform.plugins.plugin_utils.stacks import load_stack


class LookupModule(LookupBase):
    """Lookup of stacks."""

    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        try:
            return [load_stack(term, self._loader.get_basedir())[self.get_option("want")] for term in terms]
        except StackError as exc:
            raise AnsibleLookupError(str(exc)) from None
