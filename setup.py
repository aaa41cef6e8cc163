"""The one part that is compiled; all else about the distribution is in setup.cfg."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        # Without a compiler the installation goes on, and the engine writes what this would.
        Extension(
            "api_gateway._row_text",
            ["api_gateway/row_text.cpp"],
            depends=["api_gateway/row_text_values.h"],
            language="c++",
            extra_compile_args=["-std=c++17", "-O3"],
            optional=True,
        )
    ]
)
