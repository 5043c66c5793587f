def pdm_build_update_files(context, files):
    if context.target == "wheel":
        generated = context.ensure_build_dir() / "pdm_generated" / "_generated.py"
        generated.parent.mkdir()
        cubes = ", ".join(str(number**3) for number in range(100))
        content = f"VERSION = {context.config.metadata['version']!r}\nCUBES = ({cubes})\n"
        generated.write_bytes(content.encode())
        files["pdm_generated/_generated.py"] = generated
