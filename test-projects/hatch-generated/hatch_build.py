from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class GeneratingHook(BuildHookInterface):
    def initialize(self, version, build_data):
        self.generated.parent.mkdir(exist_ok=True)
        squares = ", ".join(str(number**2) for number in range(100))
        content = f"VERSION = {self.metadata.version!r}\nSQUARES = ({squares})\n"
        self.generated.write_bytes(content.encode())
        build_data["force_include"][str(self.generated)] = "hatch_generated/_generated.py"

    def finalize(self, version, build_data, artifact_path):
        self.generated.unlink()
        self.generated.parent.rmdir()

    @property
    def generated(self):
        return Path(self.root, "build", "_generated.py")
