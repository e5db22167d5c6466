// Written by Tests/pillow_geometry.py, from Pillow.

/// Pictures whose pixels are |(3x + y) mod 510 - 255|, and their samples of 8×8 pixels, in
/// hexadecimal digits.
enum GeometryTable {
  /// Width, height, the part seen (0: all), the sample.
  static let pictures: [(width: Int, height: Int, part: Double, sample: String)] = [
    (
      1, 1, 0.875,
      "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    ),
    (
      1, 1, 1,
      "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    ),
    (
      1, 1, 0,
      "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    ),
    (
      1, 53, 0.875,
      "e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5"
    ),
    (
      1, 53, 1,
      "e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5"
    ),
    (
      1, 53, 0,
      "fcfcfcfcfcfcfcfcf6f6f6f6f6f6f6f6efefefefefefefefe8e8e8e8e8e8e8e8e2e2e2e2e2e2e2e2dbdbdbdbdbdbdbdbd4d4d4d4d4d4d4d4cececececececece"
    ),
    (
      53, 1, 0.875,
      "b2b2b1b1b1b1b0b0b2b2b1b1b1b1b0b0b2b2b1b1b1b1b0b0b2b2b1b1b1b1b0b0b2b2b1b1b1b1b0b0b2b2b1b1b1b1b0b0b2b2b1b1b1b1b0b0b2b2b1b1b1b1b0b0"
    ),
    (
      53, 1, 1,
      "b2b2b2b1b1b0b0b0b2b2b2b1b1b0b0b0b2b2b2b1b1b0b0b0b2b2b2b1b1b0b0b0b2b2b2b1b1b0b0b0b2b2b2b1b1b0b0b0b2b2b2b1b1b0b0b0b2b2b2b1b1b0b0b0"
    ),
    (
      53, 1, 0,
      "f5e3cfbba7937f6df5e3cfbba7937f6df5e3cfbba7937f6df5e3cfbba7937f6df5e3cfbba7937f6df5e3cfbba7937f6df5e3cfbba7937f6df5e3cfbba7937f6d"
    ),
    (
      2, 3, 0.875,
      "fffffefefdfdfcfcfffffefefdfdfcfcfefefdfdfcfcfbfbfefefdfdfcfcfbfbfefefdfdfcfcfbfbfefefdfdfcfcfbfbfdfdfcfcfbfbfafafdfdfcfcfbfbfafa"
    ),
    (
      2, 3, 1,
      "fffffffefdfcfcfcfffffffefdfcfcfcfefefefdfcfbfbfbfefefefdfcfbfbfbfefefefdfcfbfbfbfefefefdfcfbfbfbfdfdfdfcfbfafafafdfdfdfcfbfafafa"
    ),
    (
      2, 3, 0,
      "fffffffefdfcfcfcfffffffefdfcfcfcfffffffefdfcfcfcfefefefdfcfbfbfbfefefefdfcfbfbfbfdfdfdfcfbfafafafdfdfdfcfbfafafafdfdfdfcfbfafafa"
    ),
    (
      7, 5, 0.875,
      "fcfaf8f7f5f4f2f0fbf9f7f6f4f3f1effbf9f7f6f4f3f1effaf8f6f5f3f2f0eefaf8f6f5f3f2f0eef9f7f5f4f2f1efedf9f7f5f4f2f1efedf8f6f4f3f1f0eeec"
    ),
    (
      7, 5, 1,
      "fdfbf9f7f5f3f1effdfbf9f7f5f3f1effcfaf8f6f4f2f0eefbf9f7f5f3f1efedfbf9f7f5f3f1efedfaf8f6f4f2f0eeecf9f7f5f3f1efedebf9f7f5f3f1efedeb"
    ),
    (
      7, 5, 0,
      "fffdfaf7f5f2efedfffdfaf7f5f2efedfefcf9f6f4f1eeecfdfbf8f5f3f0edebfdfbf8f5f3f0edebfcfaf7f4f2efeceafbf9f6f3f1eeebe9fbf9f6f3f1eeebe9"
    ),
    (
      8, 8, 0.875,
      "fefbf8f6f3f1eeebfdfaf7f5f2f0edeafcf9f6f4f1efece9fbf8f5f3f0eeebe8faf7f4f2efedeae7f9f6f3f1eeece9e6f8f5f2f0edebe8e5f7f4f1efeceae7e4"
    ),
    (
      8, 8, 1,
      "fffcf9f6f3f0edeafefbf8f5f2efece9fdfaf7f4f1eeebe8fcf9f6f3f0edeae7fbf8f5f2efece9e6faf7f4f1eeebe8e5f9f6f3f0edeae7e4f8f5f2efece9e6e3"
    ),
    (
      8, 8, 0,
      "fffcf9f6f3f0edeafefbf8f5f2efece9fdfaf7f4f1eeebe8fcf9f6f3f0edeae7fbf8f5f2efece9e6faf7f4f1eeebe8e5f9f6f3f0edeae7e4f8f5f2efece9e6e3"
    ),
    (
      16, 16, 0.875,
      "faf5efeae5e0dad5f8f3ede8e3ded8d3f6f1ebe6e1dcd6d1f4efe9e4dfdad4cff3eee8e3ded9d3cef1ece6e1dcd7d1ccefeae4dfdad5cfcaede8e2ddd8d3cdc8"
    ),
    (
      16, 16, 1,
      "fcf7f1ebe5dfd9d3fbf6f0eae4ded8d2f9f4eee8e2dcd6d0f7f2ece6e0dad4cef5f0eae4ded8d2ccf3eee8e2dcd6d0caf1ece6e0dad4cec8efeae4ded8d2ccc6"
    ),
    (
      16, 16, 0,
      "fcf7f1ebe5dfd9d3fbf6f0eae4ded8d2f9f4eee8e2dcd6d0f7f2ece6e0dad4cef5f0eae4ded8d2ccf3eee8e2dcd6d0caf1ece6e0dad4cec8efeae4ded8d2ccc6"
    ),
    (
      23, 4000, 0.875,
      "d5dce4ebf3fafbf5d7dee6edf5fcfaf3dae1e9f0f8fcf7f0dce3ebf2fafcf5eedfe6eef5fcfaf2ebe1e8f0f7fcf8f0e9e4ebf3fafcf5ede6e6edf5fcfaf3ebe4"
    ),
    (
      23, 4000, 1,
      "d0d8e0e9f1fafbf4d3dbe3ecf4fbf8f1d6dee6eff7fcf6eed9e1e9f2fafbf3ebdce4ecf5fcf8f0e8dfe7eff8fcf5ede5e2eaf2fafaf2eae2e5edf5fcf8efe7df"
    ),
    (
      23, 4000, 0,
      "79787776757575747f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7474747575757677"
    ),
    (
      4000, 23, 0.875,
      "6d757c848b939aa270787f878e969da5727a818990989fa7757d848c939ba2aa777f868e959da4ac7a82899198a0a7af7c848b939aa2a9b17f878e969da5acb4"
    ),
    (
      4000, 23, 1,
      "687179828b949ca56b747c858e979fa86e777f88919aa2ab717a828b949da5ae737c848d969fa7b0767f879099a2aab379828a939ca5adb67c858d969fa8b0b9"
    ),
    (
      4000, 23, 0,
      "7f7f7f7f808080807f7f7f7f8080807f7e7f7f7f8080807f7e7f7f7f7f80807f7e7f7f7f7f80807f7e7f7f7f7f80807f7e7f7f7f7f80807f7e7f7f7f7f80807f"
    ),
    (
      300, 200, 0.875,
      "193576b8e8c38140184a8ccde5ad6b2b2260a2ded797551c3576b8e8c38140174a8bcde5ae6c2c1e60a1ded798561c2e76b7e8c3824017438ccde5ad6c2b1e59"
    ),
    (
      300, 200, 1,
      "371f5faae4be732b252d76c1e3a75c1e1b448fd6d58e431b1e5da8e3c0752d262d76c1e3a75c1e3b448fd6d58e431b535da8e3c0752d266c74bee4a95e1e3883"
    ),
    (
      300, 200, 0,
      "b04b3297d8862a51993942add16f2768802c57c2c1562c81672670d1ac413a9a4e2b89d894304eb33938a2d67b2766ca294cb8ca62287fd92161c9b94d3196df"
    ),
    (
      511, 64, 0.875,
      "422d180812263b503b261208182d4257341f0c0c1f34495e2d180812263b5065261208182d42576c1f0c0c1f34495e73180812263b50657a1208182d42576c81"
    ),
    (
      511, 64, 1,
      "5038200a1128405849311908183048604129110a2038506839210b1028405870311908183048607829110a2038506880210b1028405870881908172f475f778f"
    ),
    (
      511, 64, 0,
      "8b46bb646bb943938449bd5f70b642997c4cbe5a76b241a17550bf557cae40a76e54bf5182aa40ad6759be4d89a541b3615ebd498fa042b85b63bc47949b44bc"
    ),
    (
      9, 640, 0.875,
      "3f4245484a4d5053404346494b4e51544144474a4c4f52554245484b4d5053564346494c4e51545744474a4d4f52555845484b4e5053565946494c4f5154575a"
    ),
    (
      9, 640, 1,
      "3d4144474b4e51553e4245484c4f52563f4346494d5053574044474a4e5154584145484b4f5255594246494c5053565a43474a4d5154575b44484b4e5255585c"
    ),
    (
      9, 640, 0,
      "d0ccc9c6c2bfbcb88884817e7a7774703835322f2d2a2825212426282a2c2f32696d7073777a7d81b8bcbfc2c6c8cbcfe3e2e1e0dedddbd8ada9a6a39f9c9995"
    ),
    (
      640, 9, 0.875,
      "b8bbbec1c4c7cacdb9bcbfc2c5c8cbcebabdc0c3c6c9cccfbbbec1c4c7cacdd0bbbec1c4c7cacdd0bcbfc2c5c8cbced1bdc0c3c6c9cccfd2bec1c4c7cacdd0d3"
    ),
    (
      640, 9, 1,
      "b6b9bcc0c3c7cacdb7babdc1c4c8cbceb8bbbec2c5c9cccfb9bcbfc3c6cacdd0bbbec1c5c8cccfd2bcbfc2c6c9cdd0d3bdc0c3c7caced1d4bec1c4c8cbcfd2d5"
    ),
    (
      640, 9, 0,
      "79729563a257ac4378739464a258ac4377739464a258ab4377749364a158ab4375759265a059ab4474759266a059aa44747691669f5aaa44737791679f5aaa44"
    ),
    (
      1000, 1000, 0.875,
      "8f6f85896e8b82708c8270907a7591747691747d8f6f848a6f85896e8b8270908270907a7591747d91747d8f6f848a6e85896e8b8270907b70907a7591747d8f"
    ),
    (
      1000, 1000, 1,
      "6a80897d778388737e7782877b78858d947d7783877b798f82887c7884867a726b82877b788586707b7783877b79868c937c7884867a7a9088877a7986857876"
    ),
    (
      1000, 1000, 0,
      "6a80897d778388737e7782877b78858d947d7783877b798f82887c7884867a726b82877b788586707b7783877b79868c937c7884867a7a9088877a7986857876"
    ),
  ]

  /// Of JPEG files with a place for the orientation: the file, and the samples of its
  /// centre (7/8) by orientation, from 1.
  static let jpegs: [(name: String, file: String, samples: [String])] = [
    (
      "1×53",
      """
      /9j/4AAQSkZJRgABAQAAAQABAAD/4QAiRXhpZgAATU0AKgAAAAgAAQESAAMAAAABAAEAAAAAAAD/2wBDAA0JCgsK\
      CA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYVpQYEpRUk//wAALCAA1\
      AAEBAREA/8QAFQABAQAAAAAAAAAAAAAAAAAAAwf/xAAWEAEBAQAAAAAAAAAAAAAAAAAAEhH/2gAIAQEAAD8AplCo\
      VCoVCoev/9k=
      """,
      [
        "e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5",
        "e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5",
        "e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5",
        "e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5",
        "e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5",
        "e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5",
        "e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5",
        "e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5",
      ]
    ),
    (
      "23×1000",
      """
      /9j/4AAQSkZJRgABAQAAAQABAAD/4QAiRXhpZgAATU0AKgAAAAgAAQESAAMAAAABAAEAAAAAAAD/2wBDAA0JCgsK\
      CA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYVpQYEpRUk//wAALCAPo\
      ABcBAREA/8QAGAABAQEBAQAAAAAAAAAAAAAABAUDAgf/xAAbEAADAQEBAQEAAAAAAAAAAAAAAgMhAREiMv/aAAgB\
      AQAAPwD0azALMAs2lmzALMAs2lmzALMAs2lmzALMAs2lmzALMBs2lizALMBs2lizALMBs2lizALMBs2lizALMBs2\
      lizALMBs2lizAbMAs2lizAbMAs2lizAbMAs2lmzALMAs2lmzALMAs2lmzALMAs2lmzALMAs2lmzALMBs2lizALMB\
      s2lizALMBs2lizALMBs2lizALMBs2lizALMBs2lizAbMAq2lizAbMD79OVbMBsxjPnvfShZgFe+9O4rhvZgffpxU\
      Vw4sxjLnvfR0VwFXvvTuKj4rhL79OKio+K4R5c976Oio+K4RoqPio+K4RoqPio+K4RoqPio+K4RoqPio+K4RoqPi\
      o6K4R4qPio6K4R4qPio6K4R4qPio6K4R4qPio6K4R4qPio6K4R4qOio+K4R4qOio+K4R4qOio+K4RoqPio+K4Roq\
      Pio+K4RoqPio+K4RoqPio+K4RoqPio6K4R4qPio6K4R4qPio6K4R4qPio6K4R4qPio6K4R4qPio6K4R4qOio+XMI\
      8VHRUZ+UJUVHRU1r3zAEVHy55z0zs2mMVF/lAtm00iprXvnPANm0dLnnPTKzAbNpU/KBLMBs2livfOeALMBs2liz\
      AbMAs2lizAbMAs2lizAbMAs2lmzALMAs2lmzALMAs2lmzALMAs2lmzALMAs2lmzALMBs2lizALMBs2lizALMBs2l\
      izALMBs2lizALMBs2lizALMBs2lizAbMAs2lizAbMAs2lizAbMAs2lmzALMAs2lmzALMAs2lmzALMAs2lmzALMAs\
      2lmzALMBs2lizALMBs2lizALMBs2lizALMBr33pYswCzBf05UswCzHEuejbMBr33vhrFcNLMF59OLiuGNmOJc96O\
      iuAK9974bRUdFcJXPpxkVHRXCPLnvR8VHRXCPFR0VHxXCPFR0VHxXCPFR0VHxXCNFR8VHxXCNFR8VHxXCNFR8VHx\
      XCNFR8VHxXCNFR8VHRXCPFR8VHRXCPFR8VHRXCPFR8VHRXCPFR8VHRXCPFR8VHRXCPFR0VHxXCPFR0VHxXCPFR0V\
      HxXCNFR8VHxXCNFR8VHxXCNFR8VHxXCNFR8VHxXCNFR8VHRXCPFR8VHRXCPFR8VHRXCPFR8VHT55z0jxUfFRPflS\
      ZFR8VOqsDio2fPF9MbNpzFRLfKA7NoiKnVmAWbT/2Q==
      """,
      [
        "f3fafbf5ede6dfd7f6fcf9f2eae3ddd4f8fcf7efe8e1dad1f9fbf5ede6dfd8cffbf9f1eae2dbd5ccfcf8efe8e0d9d3cafcf6ede6ded7d0c7faf3ebe3dbd4cdc4",
        "d7dfe6edf5fbfaf3d4dde3eaf2f9fcf6d1dae1e8eff7fcf8cfd8dfe6edf5fbf9ccd5dbe2eaf1f9fbcad3d9e0e8eff8fcc7d0d7dee6edf6fcc4cdd4dbe3ebf3fa",
        "c4cdd4dbe3ebf3fac7d0d7dee6edf6fccad3d9e0e8eff8fcccd5dbe2eaf1f9fbcfd8dfe6edf5fbf9d1dae1e8eff7fcf8d4dde3eaf2f9fcf6d7dfe6edf5fbfaf3",
        "faf3ebe3dbd4cdc4fcf6ede6ded7d0c7fcf8efe8e0d9d3cafbf9f1eae2dbd5ccf9fbf5ede6dfd8cff8fcf7efe8e1dad1f6fcf9f2eae3ddd4f3fafbf5ede6dfd7",
        "f3f6f8f9fbfcfcfafafcfcfbf9f8f6f3fbf9f7f5f1efedebf5f2efedeae8e6e3edeae8e6e2e0dedbe6e3e1dfdbd9d7d4dfdddad8d5d3d0cdd7d4d1cfcccac7c4",
        "fafcfcfbf9f8f6f3f3f6f8f9fbfcfcfaebedeff1f5f7f9fbe3e6e8eaedeff2f5dbdee0e2e6e8eaedd4d7d9dbdfe1e3e6cdd0d3d5d8dadddfc4c7cacccfd1d4d7",
        "c4c7cacccfd1d4d7cdd0d3d5d8dadddfd4d7d9dbdfe1e3e6dbdee0e2e6e8eaede3e6e8eaedeff2f5ebedeff1f5f7f9fbf3f6f8f9fbfcfcfafafcfcfbf9f8f6f3",
        "d7d4d1cfcccac7c4dfdddad8d5d3d0cde6e3e1dfdbd9d7d4edeae8e6e2e0dedbf5f2efedeae8e6e3fbf9f7f5f1efedebfafcfcfbf9f8f6f3f3f6f8f9fbfcfcfa",
      ]
    ),
    (
      "1000×23",
      """
      /9j/4AAQSkZJRgABAQAAAQABAAD/4QAiRXhpZgAATU0AKgAAAAgAAQESAAMAAAABAAEAAAAAAAD/2wBDAA0JCgsK\
      CA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYVpQYEpRUk//wAALCAAX\
      A+gBAREA/8QAGgABAQEAAwEAAAAAAAAAAAAABAMCAAEFB//EABsQAAMBAQEBAQAAAAAAAAAAAAACAwERIiEx/9oA\
      CAEBAAA/APo1mAWYBZgFmAWYDZgFmAWYBZgNmB76cVFR8VHxUfFR0VHxUfFR8VHxUdFStd5nAFmA2YBZgFmAWYDZ\
      gFmAWYBZgNd7vC0VHRUfFR8VHxUfFR0VHxUfFR8VEt5QHZgFmA2YBZgFmAWYDZgFmAWYBZjqKj4qPio6Kj4qPio+\
      KjoqPio+KjUzi9D2YBZgFmA2YBZgFmAWYBZgNmAWYhPOt0bFR8VHxUdFR8VHxUfFR0VHxUfFTNmAWYBZgFmAWYDZ\
      gFmAWYBZgNmB76cVFR8VHxUfFR0VHxUfFR8VHxUdFStd5nAFmA2YBZgFmAWYDZgFmAWYBZgNd7vC0VHRUfFR8VHx\
      UfFR0VHxU96zALMAswCzAbMAswCzALMAswGzEZZ3ejoqPio+Kj4qOio+Kj4qPio6Kj5ZzOkrMBswCzALMAswCzAb\
      MAswCzALMFz04yKjoqPio+Kj4qOio+Kj4qPio+KmrMAswCzAbMAswCzALMBswCzALMCpvW4Xio+KjoqPio+Kj4qP\
      io6Kj4qPioh94vAVmAWYBZgNmAWYBZgFmA2YBZgFmO4qPio+Kj4qOio+Kj4qPio6Kj4qMXygazALMAswCzAbMAsw\
      CzALMAswGzEZZ3ejoqPio+Kj4qOio+Kj4qPio6Kj5ZzOkrMBswCzALMAswCzAbMAswCzALMFz04yKjoqPio+Kj4q\
      Oio+Kj4qepZgFmAWYBZgNmAWYBZgFmA2YBXe6bio+Kj4qPio6Kj4qPio+Kj4qOiov8QJZgNmAWYBZgFmA2YBZgFm\
      AWYDZics7o6Kj4qPio+Kj4qOio+Kj4qPio2ecXpGzALMBswCzALMAswGzALMAswCzBl+uNio+KjoqPio+Kj4qOio\
      +Kj4qPipyzALMAswGzALMAswCzALMBswCzAm+uJio+Kj4qOio+Kj4qPio6Kj4qPipam8XgKzALMAswCzAbMAswCz\
      ALMBswCu903FR8VHxUfFR0VHxUfFR8VHxUdFRf4gSzAbMAswCzALMBswCzALMAswGzE5Z3R0VHxUfFR8VHxUdFR8\
      VHxU/9k=
      """,
      [
        "c6ced6dde6edf4facad2d9e1e9eff8fcccd4dbe2ebf2fafdced6dee5eef5fcfbd1d9e1e8f1f7fbf7d3dce3eaf3fafbf5d5dee5ecf5fbfbf3d8e1e8eff8fcf8f0",
        "faf4ede6ddd6cec6fcf8efe9e1d9d2cafdfaf2ebe2dbd4ccfbfcf5eee5ded6cef7fbf7f1e8e1d9d1f5fbfaf3eae3dcd3f3fbfbf5ece5ded5f0f8fcf8efe8e1d8",
        "f0f8fcf8efe8e1d8f3fbfbf5ece5ded5f5fbfaf3eae3dcd3f7fbf7f1e8e1d9d1fbfcf5eee5ded6cefdfaf2ebe2dbd4ccfcf8efe9e1d9d2cafaf4ede6ddd6cec6",
        "d8e1e8eff8fcf8f0d5dee5ecf5fbfbf3d3dce3eaf3fafbf5d1d9e1e8f1f7fbf7ced6dee5eef5fcfbccd4dbe2ebf2fafdcad2d9e1e9eff8fcc6ced6dde6edf4fa",
        "c6caccced1d3d5d8ced2d4d6d9dcdee1d6d9dbdee1e3e5e8dde1e2e5e8eaecefe6e9ebeef1f3f5f8edeff2f5f7fafbfcf4f8fafcfbfbfbf8fafcfdfbf7f5f3f0",
        "d8d5d3d1cecccac6e1dedcd9d6d4d2cee8e5e3e1dedbd9d6efeceae8e5e2e1ddf8f5f3f1eeebe9e6fcfbfaf7f5f2efedf8fbfbfbfcfaf8f4f0f3f5f7fbfdfcfa",
        "f0f3f5f7fbfdfcfaf8fbfbfbfcfaf8f4fcfbfaf7f5f2efedf8f5f3f1eeebe9e6efeceae8e5e2e1dde8e5e3e1dedbd9d6e1dedcd9d6d4d2ced8d5d3d1cecccac6",
        "fafcfdfbf7f5f3f0f4f8fafcfbfbfbf8edeff2f5f7fafbfce6e9ebeef1f3f5f8dde1e2e5e8eaecefd6d9dbdee1e3e5e8ced2d4d6d9dcdee1c6caccced1d3d5d8",
      ]
    ),
    (
      "37×211",
      """
      /9j/4AAQSkZJRgABAQAAAQABAAD/4QAiRXhpZgAATU0AKgAAAAgAAQESAAMAAAABAAEAAAAAAAD/2wBDAA0JCgsK\
      CA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYVpQYEpRUk//wAALCADT\
      ACUBAREA/8QAGgABAQADAQEAAAAAAAAAAAAABAYCAwUBB//EABsQAAMBAQEBAQAAAAAAAAAAAAACAyIBESEy/9oA\
      CAEBAAA/APo1mAWYBZgFmBUbRa2YBZgFmAWYFRtFrZgFmAWYBZgVG0WtmAWYBZgFmBUbRa2YBZgFmA2YDRtFrZgF\
      mAWYDZgNG0WtmAWYBZgNmA0bRa2YBZgNmAWYDRtFrZgFmA2YBZgNG0WtmAWYDZgFmBUbRaWYDZgFmAWYFRtFpZgN\
      mAWYBZgVG0WlmA2YBZgFmBUbRa2YBZgFmAWYFRtFrZgFmAWYBZgVG0WtmAWYBZgFmBUbRa2YBZgFmAWYFRtFrZgF\
      mAWYDZgNG0WtmAWYBZgNmBP31i0swCzALMBsxoXnv0rrMAswGzAK996ZTXJS2YBZgNmB904ma5O3ZgFmA2Y0y573\
      0bNcnRswGzAK996ZxUdNcm+zAbMD7pxUVHTXJhZgNmNMue99HRUdNchLALHsR8Rs/wAn/9k=
      """,
      [
        "988d8175685c504594897d7164584b409085796d6054483c8c8075685c4f43388a7d7165584c3f3485796c6054473b308175685c4f43372c7d7164584b3f3328",
        "45505c6875818d98404b5864717d89943c4854606d79859038434f5c6875808c343f4c5865717d8a303b4754606c79852c37434f5c68758128333f4b5864717d",
        "28333f4b5864717d2c37434f5c687581303b4754606c7985343f4c5865717d8a38434f5c6875808c3c4854606d798590404b5864717d899445505c6875818d98",
        "7d7164584b3f33288175685c4f43372c85796c6054473b308a7d7165584c3f348c8075685c4f43389085796d6054483c94897d7164584b40988d8175685c5045",
        "9894908c8a85817d8d8985807d797571817d7975716c686475716d6865605c586864605c58544f4b5c58544f4c47433f504b48433f3b373345403c3834302c28",
        "7d81858a8c9094987175797d8085898d64686c7175797d81585c6065686d71754b4f54585c6064683f43474c4f54585c33373b3f43484b50282c3034383c4045",
        "282c3034383c404533373b3f43484b503f43474c4f54585c4b4f54585c606468585c6065686d717564686c7175797d817175797d8085898d7d81858a8c909498",
        "45403c3834302c28504b48433f3b37335c58544f4c47433f6864605c58544f4b75716d6865605c58817d7975716c68648d8985807d7975719894908c8a85817d",
      ]
    ),
    (
      "45×300",
      """
      /9j/4AAQSkZJRgABAQAAAQABAAD/4QAiRXhpZgAATU0AKgAAAAgAAQESAAMAAAABAAEAAAAAAAD/2wBDAA0JCgsK\
      CA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYVpQYEpRUk//wAALCAEs\
      AC0BAREA/8QAGQABAQADAQAAAAAAAAAAAAAABAcCAwYF/8QAGhAAAwEBAQEAAAAAAAAAAAAAAAIDIgERIf/aAAgB\
      AQAAPwCjWYBZgFmAWYBZgVG0USzALMAswCzAbMBo2iiWYBZgFmAWYDZgNG0USzALMAswCzAbMBo2iiWYBZgFmA2Y\
      BZgNG0USzALMAswGzALMBo2iiWYBZgFmA2YBZgVG0UOzALMBswCzALMCo2ih2YBZgNmAWYBZgVG0UOzALMBswCzA\
      LMCo2ih2YDZgFmAWYBZgVG0UOzAbMAswCzALMCo2ih2YDZgFmAWYBZgVG0USzALMAswCzALMCo2iiWYBZgFmAWYD\
      ZgNG0USzALMAswCzAbMCfvrFDswCzALMAswGzGhee/TvbMAswCzAbMAr33plNcnaWYBZgFmA2YH3TiZrk6qzALMA\
      swGzGmXPe+jZrk6CzALMBswCvfemcVHTXJ61mAWYDZgfdOKio6a5GWYBZgNmNMue99HRUdNcmVmA2YBXvvTOKj4q\
      OmuQ9mA2YH3TioqPio6a5PNswGzGmXPe+joqPio2a5PFswCvfemcVHxUfFRs1yc3ZgfdOKio+Kj4qNmuTkbMaZc9\
      76Oio+Kj4qNmuTh6996ZxUfFR8VHxUbNcnAd04qKj4qPio+KjZrknkue99HRUfFR8VHxUbNck7io+Kj4qPio+KjZ\
      rkncVHxUfFR8VHRUdNck7io+Kj4qPio6KjprkncVHxUfFR8VHRUdNck7io+Kj4qOio+KjprknUeD48Hx4PjwdHg6\
      fMn/2Q==
      """,
      [
        "6d5e4f403122140768594a3b2d1e0f056354453628190a065e4f40312314070a594a3b2c1e0f050e54453627190a06134f403123140609184a3b2c1e0f050e1d",
        "07142231404f5e6d050f1e2d3b4a5968060a1928364554630a07142331404f5e0e050f1e2c3b4a5913060a1927364554180906142331404f1d0e050f1e2c3b4a",
        "1d0e050f1e2c3b4a180906142331404f13060a19273645540e050f1e2c3b4a590a07142331404f5e060a192836455463050f1e2d3b4a596807142231404f5e6d",
        "4a3b2c1e0f050e1d4f4031231406091854453627190a0613594a3b2c1e0f050e5e4f40312314070a6354453628190a0668594a3b2d1e0f056d5e4f4031221407",
        "6d68635e59544f4a5e59544f4a45403b4f4a45403b36312c403b36312c27231e312d28231e19140f221e19140f0a0605140f0a070506090e0705060a0e13181d",
        "4a4f54595e63686d3b40454a4f54595e2c31363b40454a4f1e23272c31363b400f14191e23282d3105060a0f14191e220e090605070a0f141d18130e0a060507",
        "1d18130e0a0605070e090605070a0f1405060a0f14191e220f14191e23282d311e23272c31363b402c31363b40454a4f3b40454a4f54595e4a4f54595e63686d",
        "0705060a0e13181d140f0a070506090e221e19140f0a0605312d28231e19140f403b36312c27231e4f4a45403b36312c5e59544f4a45403b6d68635e59544f4a",
      ]
    ),
    (
      "130×90",
      """
      /9j/4AAQSkZJRgABAQAAAQABAAD/4QAiRXhpZgAATU0AKgAAAAgAAQESAAMAAAABAAEAAAAAAAD/2wBDAA0JCgsK\
      CA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYVpQYEpRUk//wAALCABa\
      AIIBAREA/8QAGgABAAMBAQEAAAAAAAAAAAAABAMFBgIBB//EABwQAAMAAwEBAQAAAAAAAAAAAAACAwEREiEiQf/a\
      AAgBAQAAPwD6NZgFmAWYBZgFmA2YBZgFmAWYDZgefpxUVHxUfFR8VHRUVz4b2zALMAswCzAbMAswCzALMAswGzEM\
      sbzsdFR8VHxUfFR0VFc+GzswCzALMAswGzALMAswCzAbMArneTuKj4qPio+Kj4qOiornw1NmAWYBZgFmA2YBZgFm\
      AWYDZgefpxUVHxUfFR8VHRUfFRXPhf2YBZgFmA2YBZgFmAWYBZgNmIZY3nY6Kj4qPio+KjoqPiornwtbMAswCzAb\
      MAswCzALMBswCud5O4qPio+Kj4qPio6Kj4qK58F2YBZgFmA2YBZgFmAWYDZgefpxUVHxUfFR8VHRUfFR8VFc+Htm\
      AWYDZgFmAWYBZgFmA2YhljedjoqPio+Kj4qOio+Kj4qK58DWYBZgNmAWYBZgFmA2YBXO8ncVHxUfFR8VHxUdFR8V\
      HxUVz4VlmAWYDZgFmAWYBZgNmB5+nFRUfFR8VHxUdFR8VHxUfFRXPhRWYDZgFmAWYBZgFmA2YhljedjoqPio+Kj4\
      qOio+Kj4qPiornwzVgFgFgNgFgFgFj2I+I6I+I+I+I6I+I+Ir8P/2Q==
      """,
      [
        "9b7e6042240c1634917456381b0a203e876a4c2e120e2a487e6042250c1634527456381b0a203e5c6a4c2e120f2a48666042250c1634526f56381b0b203e5c78",
        "34160c2442607e9b3e200a1b38567491482a0e122e4c6a875234160c2542607e5c3e200a1b38567466482a0f122e4c6a6f5234160c254260785c3e200b1b3856",
        "785c3e200b1b38566f5234160c25426066482a0f122e4c6a5c3e200a1b3856745234160c2542607e482a0e122e4c6a873e200a1b3856749134160c2442607e9b",
        "56381b0b203e5c786042250c1634526f6a4c2e120f2a48667456381b0a203e5c7e6042250c163452876a4c2e120e2a48917456381b0a203e9b7e6042240c1634",
        "9b91877e746a60567e746a60564c423860564c42382e251b42382e251b120c0a251b120c0a0e16200c0a0e16202a343e16202a343e48525c343e48525c666f78",
        "56606a747e87919b38424c56606a747e1b252e38424c56600a0c121b252e384220160e0a0c121b253e342a20160e0a0c5c52483e342a2016786f665c52483e34",
        "786f665c52483e345c52483e342a20163e342a20160e0a0c20160e0a0c121b250a0c121b252e38421b252e38424c566038424c56606a747e56606a747e87919b",
        "343e48525c666f7816202a343e48525c0c0a0e16202a343e251b120c0a0e162042382e251b120c0a60564c42382e251b7e746a60564c42389b91877e746a6056",
      ]
    ),
  ]
}
